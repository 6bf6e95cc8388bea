; SPDX-License-Identifier: GPL-2.0-or-later
; Counts in ECX, DI and memory for ever; whatever becomes of it in between, the three agree: memory holds
; each count once, in the ring of 256 dwords at 0x1000, and an NMI is counted at 0x0F00.
%include "guest.inc"

start:
        handler 2, nmi
        xor     ecx, ecx
        xor     di, di
.next:  inc     ecx
        mov     [di + 0x1000], ecx
        add     di, 4
        and     di, 0x3FC
        jmp     .next

nmi:    inc     word [0x0F00]
        iret
        reset_vector
