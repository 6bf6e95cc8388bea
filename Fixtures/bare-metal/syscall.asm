; SPDX-License-Identifier: GPL-2.0-or-later
; SYSCALL and SYSRET in 64-bit mode (SDM volume 2), an interrupt stack (IST), and SWAPGS. The GDT is at 0x8000, the IDT at
; 0x8800, the task state segment at 0x9000.
%include "guest.inc"

start:
        enter_long_mode long_mode

bits 64
long_mode:
        mov     esp, 0x7000
        ; Pages for all rings.
        or      byte [0x2000], 4
        or      byte [0x3000], 4
        or      byte [0x4000], 4
        mov     rax, cr3
        mov     cr3, rax
        ; 0x08 code, 0x10 data, 0x1B (unused), 0x23 user data, 0x2B user code, 0x30 TSS.
        mov     edi, 0x8000
        xor     eax, eax
        mov     ecx, 0x300
        rep     stosd
        mov     rax, 0x00209B0000000000
        mov     [0x8008], rax
        mov     rax, 0x00CF93000000FFFF
        mov     [0x8010], rax
        mov     rax, 0x00CFF3000000FFFF
        mov     [0x8020], rax
        mov     rax, 0x0020FB0000000000
        mov     [0x8028], rax
        mov     rax, 0x0000890090000067
        mov     [0x8030], rax
        mov     dword [0x9004], 0x6800
        mov     dword [0x9024], 0x5800
        mov     word [0x8700], 0x3F
        mov     dword [0x8702], 0x8000
        lgdt    [0x8700]
        mov     word [0x8700], 0xFFF
        mov     dword [0x8702], 0x8800
        lidt    [0x8700]
        mov     ax, 0x30
        ltr     ax
        ; INT 0x20 on the stack IST1, for ring 3.
        mov     eax, 0xF0000 + service
        mov     [0x8A00], ax
        mov     dword [0x8A02], 0xEE010008
        shr     eax, 16
        mov     [0x8A06], ax
        mov     word [0x8A02], 0x08
        mov     word [0x8A04], 0xEE01
        ; EFER.SCE, STAR, LSTAR, FMASK, KERNEL_GS_BASE.
        mov     ecx, 0xC0000080
        rdmsr
        or      al, 1
        wrmsr
        mov     ecx, 0xC0000081
        xor     eax, eax
        mov     edx, 0x001B0008
        wrmsr
        inc     ecx
        mov     eax, 0xF0000 + entry64
        xor     edx, edx
        wrmsr
        mov     ecx, 0xC0000084
        mov     eax, 0x400
        wrmsr
        mov     ecx, 0xC0000102
        mov     eax, 0x1000
        wrmsr
        ; Down to ring 3 by SYSRET.
        mov     ecx, 0xF0000 + user
        mov     r11d, 0x2
        o64 sysret

user:
        mov     esp, 0x6000
        mov     [0x1100], cs
        mov     [0x1104], ss
        std
        mov     eax, 0x55
        syscall
after:  mov     [0x1108], rcx
        pushfq
        pop     qword [0x1110]
        cld
        int     0x20
        mov     eax, 0x66
        syscall

entry64:
        mov     [0x1120], cs
        mov     [0x1124], ss
        mov     [0x1128], r11
        pushfq
        pop     qword [0x1130]
        swapgs
        mov     [gs:0x138], eax
        swapgs
        cmp     eax, 0x66
        je      ending
        o64 sysret

service:
        mov     [0x1140], rsp
        mov     rax, [rsp + 24]
        mov     [0x1148], rax
        iretq

ending: done    0
bits 16
        reset_vector
