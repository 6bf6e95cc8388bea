; SPDX-License-Identifier: GPL-2.0-or-later
; Reads a byte from a port COUNT times, then ends: what an exit for a port costs. The defaults work on any PC
; with an isa-debug-exit device at its usual place.
%include "guest.inc"
%ifndef COUNT
%define COUNT 200000
%endif
%ifndef PORT
%define PORT 0x92
%endif

start:
        mov     dx, PORT
        mov     ecx, COUNT
.next:  in      al, dx
        dec     ecx
        jnz     .next
        mov     dx, 0x501
        mov     al, 0
        out     dx, al
        done    0
        reset_vector
