; SPDX-License-Identifier: GPL-2.0-or-later
; Reads a dword from the registers at 0xD0000 for ever: what an exit costs.
%include "guest.inc"

start:
        mov     ax, MMIO_SEGMENT
        mov     fs, ax
.next:  mov     eax, [fs:0]
        jmp     .next
        reset_vector
