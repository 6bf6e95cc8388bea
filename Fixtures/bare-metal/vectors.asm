; SPDX-License-Identifier: GPL-2.0-or-later
; Counts in long mode in ECX, XMM0 (each dword), the x87 stack and memory (0x1000) for ever, and ends when they differ.
%include "guest.inc"

start:
        enter_long_mode long_mode

bits 64
long_mode:
        mov     esp, 0x7000
        mov     rax, cr0
        and     al, ~0x0C
        mov     cr0, rax
        mov     rax, cr4
        or      ax, 0x600
        mov     cr4, rax
        fninit
        fldz
        xor     ecx, ecx
        pcmpeqd xmm1, xmm1
        pxor    xmm0, xmm0
.next:  inc     ecx
        psubd   xmm0, xmm1
        fld1
        faddp
        fist    dword [0x1010]
        movdqu  [0x1020], xmm0
        mov     [0x1000], ecx
        cmp     ecx, [0x1010]
        jne     .wrong
        cmp     ecx, [0x1020]
        jne     .wrong
        cmp     ecx, [0x102C]
        je      .next
.wrong: mov     dx, DONE
        mov     al, 1
        out     dx, al
        jmp     $
bits 16
        reset_vector
