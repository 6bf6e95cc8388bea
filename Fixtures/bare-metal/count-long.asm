; SPDX-License-Identifier: GPL-2.0-or-later
; Counts in long mode in RCX, R15 (downwards) and memory (0x1000) for ever, and ends when they differ.
%include "guest.inc"

start:
        enter_long_mode long_mode

bits 64
long_mode:
        mov     esp, 0x7000
        xor     ecx, ecx
        xor     r15d, r15d
.next:  inc     rcx
        dec     r15
        mov     [0x1000], rcx
        mov     rax, rcx
        add     rax, r15
        jz      .next
        mov     dx, DONE
        mov     al, 1
        out     dx, al
        jmp     $
bits 16
        reset_vector
