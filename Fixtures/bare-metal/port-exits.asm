; SPDX-License-Identifier: GPL-2.0-or-later
; Reads a byte from port 0x505 for ever: what an exit costs.
%include "guest.inc"

start:
        mov     dx, 0x505
.next:  in      al, dx
        jmp     .next
        reset_vector
