; SPDX-License-Identifier: GPL-2.0-or-later
; 4-level paging (SDM volume 3, sections 4.5 to 4.10): pages of 4 KiB, 2 MiB and 1 GiB, accessed and dirty bits, write
; protection, no-execute, reserved bits, what ring 3 may do, forgetting translations.
; Needs 4 MiB of RAM.
%include "guest.inc"
%include "long.inc"

start:
        enter_long main

; A page of the tested table, and its entry.
%define page(n) (0x200000 + 0x1000 * (n))
%define entry(n) (TABLE + 8 * (n))
; Maps page %1 to the memory 0x20000 + 0x1000 * %1 with the bits %2 and, in the upper half, %3.
%macro map 2-3 0
        mov     dword [abs entry(%1)], 0x20000 + 0x1000 * (%1) + %2
        mov     dword [abs entry(%1) + 4], %3
%endmacro

bits 64
main:
        map     1, 1                    ; read-only
        map     2, 7                    ; everyone's
        map     3, 5                    ; everyone's, read-only
        map     4, 3, 1 << 31           ; not for execution
        map     5, 3, 1 << 19           ; a reserved bit
        map     7, 7, 1 << 31           ; everyone's, not for execution
        map     8, 3
        map     9, 3
        map     10, 0x103               ; global
        mov     dword [abs DIRECTORY + 16], 0x83
        mov     dword [abs DIRECTORY + 24], 0x2083      ; 2 MiB with a reserved bit
        mov     dword [abs POINTERS + 16], 0x2083       ; 1 GiB with one
        mov     dword [abs PML4 + 8], POINTERS + 0x83   ; and 512 GiB
        mov     dword [abs POINTERS + 24], 0x83
        ; JMP RBX where code is looked for.
        mov     word [abs 0x22000], 0xE3FF
        mov     word [abs 0x23000], 0xE3FF
        mov     word [abs 0x24000], 0xE3FF
        mov     word [abs 0x27000], 0xE3FF

        ; What is not there, by reading, writing, fetching.
        try 0,  mov eax, [abs page(0) + 0x123]
        try 1,  mov [abs page(0) + 0xFF0], eax
        mov     eax, page(0) + 0x10
        try 2,  jmp rax
        ; Over the edge of what is there: the rest is missing.
        try 3,  mov eax, [abs page(0) - 2]
        ; Read-only, with CR0.WP and without.
        try 4,  mov [abs page(1) + 8], eax
        try 5,  mov eax, [abs page(1) + 8]
        mov     rax, cr0
        and     eax, ~0x10000
        mov     cr0, rax
        mov     eax, 0x600D
        try 6,  mov [abs page(1) + 8], eax
        mov     rax, cr0
        or      eax, 0x10000
        mov     cr0, rax
        ; No-execute and, without EFER.NXE, a reserved bit.
        mov     eax, page(4)
        try 7,  jmp rax
        mov     eax, [abs page(4)]
        mov     ecx, 0xC0000080
        rdmsr
        and     ah, ~8
        wrmsr
        try 8,  mov eax, [abs page(4)]
        mov     eax, page(4)
        try 9,  jmp rax
        mov     ecx, 0xC0000080
        rdmsr
        or      ah, 8
        wrmsr
        ; Reserved bits on each level.
        try 10, mov eax, [abs page(5) + 4]
        try 11, mov [abs page(5) + 4], eax
        mov     eax, page(5)
        try 12, jmp rax
        try 13, mov eax, [abs 0x600000]
        mov     eax, 0x80000000
        try 14, mov ecx, [rax]
        mov     rax, 1 << 39
        try 15, mov ecx, [rax]
        ; Addresses that are not canonical: #GP, #SS by way of the stack.
        mov     rax, 1 << 47
        try 16, mov ecx, [rax]
        try 17, mov ecx, [rax - 2]
        mov     rbp, rax
        try 18, mov ecx, [rbp]
        mov     rsi, rsp
        mov     rsp, rax
        try 19, pop rcx
        mov     rsp, rsi
        try 20, jmp rax

        ; Accessed and dirty bits, on each size.
        mov     eax, [abs page(8)]
        mov     eax, [abs entry(8)]
        mov     [abs 0x1000], eax
        mov     [abs page(8)], eax
        mov     eax, [abs entry(8)]
        mov     [abs 0x1004], eax
        mov     eax, [abs DIRECTORY + 8]
        mov     [abs 0x1008], eax
        mov     eax, [abs 0x400000]
        mov     eax, [abs DIRECTORY + 16]
        mov     [abs 0x100C], eax
        mov     dword [abs 0x400000 + 0x30000], 0x2222
        mov     eax, [abs DIRECTORY + 16]
        mov     [abs 0x1010], eax
        mov     eax, 0xC0000000
        mov     ecx, [rax]
        mov     ecx, [abs POINTERS + 24]
        mov     [abs 0x1014], ecx
        mov     dword [rax + 0x30004], 0x3333
        mov     ecx, [abs POINTERS + 24]
        mov     [abs 0x1018], ecx
        ; A page that was never used: a fault leaves it so.
        mov     eax, [abs entry(5)]
        mov     [abs 0x101C], eax

        ; Translations are forgotten by MOV to CR3, the global ones by INVLPG or a change of CR4.PGE.
        mov     rax, cr4
        or      al, 0x80
        mov     cr4, rax
        mov     dword [abs 0x29000], 0x91
        mov     dword [abs 0x28000], 0x81
        mov     dword [abs 0x2A000], 0xA1
        mov     eax, [abs page(9)]
        mov     ecx, [abs page(10)]
        mov     dword [abs entry(9)], 0x28003
        mov     rdx, cr3
        mov     cr3, rdx
        mov     eax, [abs page(9)]
        mov     [abs 0x1020], eax
        mov     dword [abs entry(9)], 0x29003
        invlpg  [abs page(9) + 0x800]
        mov     eax, [abs page(9)]
        mov     [abs 0x1024], eax
        mov     dword [abs entry(10)], 0x28103
        invlpg  [abs page(10)]
        mov     eax, [abs page(10)]
        mov     [abs 0x1028], eax
        mov     dword [abs entry(10)], 0x2A103
        mov     rax, cr4
        and     al, ~0x80
        mov     cr4, rax
        mov     eax, [abs page(10)]
        mov     [abs 0x102C], eax
        ; A large page moves from 0 to 2 MiB: any address within forgets all of it.
        mov     dword [abs 0x4000], 0x1111
        mov     eax, [abs 0x404000]
        mov     dword [abs DIRECTORY + 16], 0x200083
        invlpg  [abs 0x5FF000]
        mov     dword [abs 0x404000], 0x4444
        mov     eax, [abs 0x4000]
        mov     [abs 0x1030], eax
        mov     eax, 0xC0204000
        mov     eax, [rax]
        mov     [abs 0x1034], eax

        ; Down to ring 3.
        push    qword USER_DATA
        push    qword 0x40005000
        push    qword 0x3002             ; with ports
        push    qword USER_CODE
        push    qword user(ring3)
        iretq
ring3:
        try 24, mov eax, [abs page(8)]
        try 25, mov [abs page(8)], eax
        mov     eax, page(8)
        try 26, jmp rax
        try 27, mov eax, [abs page(2)]
        try 28, mov [abs page(2)], eax
        try 29, mov [abs page(3)], eax
        mov     eax, page(7)
        try 30, jmp rax
        try 31, mov eax, [abs page(0)]
        try 32, mov [abs page(0)], eax
        mov     eax, page(0)
        try 33, jmp rax
        mov     eax, page(3)
        try 34, jmp rax
        try 35, mov eax, [abs page(5)]
        mov     rax, 1 << 63
        try 36, push qword [rax]
        try 37, invlpg [abs page(2)]
        mov     dx, DONE
        xor     eax, eax
        out     dx, al
        jmp     $
bits 16
        reset_vector
