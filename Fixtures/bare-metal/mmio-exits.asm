; SPDX-License-Identifier: GPL-2.0-or-later
; Reads a byte from the VGA window COUNT times, then ends: what an exit for a memory access costs.
%include "guest.inc"
%ifndef COUNT
%define COUNT 200000
%endif

start:
        mov     ax, 0xA000
        mov     fs, ax
        mov     ecx, COUNT
.next:  mov     al, [fs:0]
        dec     ecx
        jnz     .next
        mov     dx, 0x501
        mov     al, 0
        out     dx, al
        done    0
        reset_vector
