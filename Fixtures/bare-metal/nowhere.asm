; SPDX-License-Identifier: GPL-2.0-or-later
; Jumps to where no memory is: KVM has no instruction to emulate.
%include "guest.inc"

start:
        mov     eax, 0x12345678
        jmp     MMIO_SEGMENT:0x0100
        reset_vector
