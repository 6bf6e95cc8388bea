; SPDX-License-Identifier: GPL-2.0-or-later
; SMEP and SMAP (SDM volume 3, section 4.6): the supervisor keeps off user pages, but for explicit accesses with
; RFLAGS.AC. The verdict is 2 on a processor without them.
%include "guest.inc"
%include "long.inc"

start:
        enter_long main

%define page(n) (0x200000 + 0x1000 * (n))
%define entry(n) (TABLE + 8 * (n))
%define cr4_smep (1 << 20)
%define cr4_smap (1 << 21)

%macro set_cr4 1
        mov     rax, cr4
        or      eax, %1
        mov     cr4, rax
%endmacro

; RFLAGS.AC.
%macro set_ac 0
        pushfq
        or      dword [rsp], 1 << 18
        popfq
%endmacro
%macro clear_ac 0
        pushfq
        and     dword [rsp], ~(1 << 18)
        popfq
%endmacro

bits 64
main:
        mov     eax, 7
        xor     ecx, ecx
        cpuid
        and     ebx, 1 << 7 | 1 << 20
        cmp     ebx, 1 << 7 | 1 << 20
        je      there
        done    2
there:  mov     dword [abs entry(0)], 0x20007
        mov     dword [abs entry(1)], 0x21003
        mov     dword [abs entry(2)], 0x22005           ; everyone's, read-only
        mov     word [abs 0x20000], 0xE3FF
        mov     word [abs 0x21000], 0xE3FF
        ; A local descriptor table on the user's page, and its descriptor.
        mov     rax, 0x00CFF3000000FFFF
        mov     [abs 0x20100], rax
        mov     rax, 0x0000820000000007 | (page(0) + 0x100) << 16
        mov     [abs GDT + 0x38], rax
        mov     qword [abs GDT + 0x40], 0
        mov     word [abs 0x20200], 0x47
        mov     dword [abs 0x20202], GDT
        mov     dword [abs 0x20206], 0
        ; Without them.
        mov     eax, page(0)
        try 0,  jmp rax
        try 1,  mov eax, [abs page(0)]
        set_cr4 cr4_smep
        mov     eax, page(0)
        try 2,  jmp rax
        mov     eax, page(1)
        try 3,  jmp rax
        try 4,  mov eax, [abs page(0)]
        ; AC is nothing to SMEP.
        set_cr4 cr4_smap
        set_ac
        mov     eax, page(0)
        try 5,  jmp rax
        clear_ac
        ; SMAP: reads, writes, read-modify-writes, strings, across an edge.
        try 6,  mov eax, [abs page(0)]
        try 7,  mov [abs page(0) + 8], eax
        try 8,  inc dword [abs page(0) + 16]
        mov     esi, page(0) + 4
        try 9,  lodsd
        try 10, mov eax, [abs page(0) - 2]
        try 11, mov eax, [abs page(1)]
        set_ac
        try 12, mov eax, [abs page(0)]
        try 13, mov [abs page(0) + 8], eax
        ; What the supervisor may not write it may not with AC either.
        try 14, mov [abs page(2) + 8], eax
        clear_ac
        ; STAC and CLAC do the same.
        stac
        try 15, mov eax, [abs page(0)]
        clac
        try 16, mov eax, [abs page(0)]
        ; LGDT's operand is explicit. A descriptor's load is not: AC is nothing to it.
        try 17, lgdt [abs page(0) + 0x200]
        set_ac
        try 18, lgdt [abs page(0) + 0x200]
        mov     eax, 0x38
        lldt    ax
        mov     eax, 7
        try 19, mov fs, ax
        clear_ac
        try 20, mov fs, ax
        ; Without CR0.WP it is the same.
        mov     rax, cr0
        and     eax, ~0x10000
        mov     cr0, rax
        try 21, mov [abs page(2)], eax
        set_ac
        try 22, mov [abs page(2)], eax
        clear_ac
        ; In ring 3 both are nothing.
        push    qword USER_DATA
        push    qword 0x40005000
        push    qword 0x3002
        push    qword USER_CODE
        push    qword user(ring3)
        iretq
ring3:
        try 24, mov eax, [abs page(0)]
        mov     eax, page(0)
        try 25, jmp rax
        try 26, stac
        try 27, mov eax, [abs page(1)]
        mov     dx, DONE
        xor     eax, eax
        out     dx, al
        jmp     $
bits 16
        reset_vector
