; SPDX-License-Identifier: GPL-2.0-or-later
; From ring 3 to ring 0 and back: a call gate with two parameters, an interrupt gate, SYSENTER and SYSEXIT; and what ring 3
; may not do (SDM volume 3, sections 5.8 and 6.12). Each #GP leaves its code at 0x1200 + 4n and goes on at ESI.
%include "guest.inc"
%include "protected.inc"

start:
        enter_protected_mode main

bits 32
main:
        gate    0x20, service, 3
        gate    0x21, service, 0
        gate    13, protection, 0
        ; A call gate for ring 3 in the place of the task gate: two dwords.
        mov     eax, linear(called)
        mov     [GATE_B + GDT], ax
        mov     word [GATE_B + GDT + 2], CODE
        mov     word [GATE_B + GDT + 4], 0xEC02
        shr     eax, 16
        mov     [GATE_B + GDT + 6], ax
        mov     ecx, 0x174
        xor     edx, edx
        mov     eax, CODE
        wrmsr
        inc     ecx
        mov     eax, 0x6400
        wrmsr
        inc     ecx
        mov     eax, linear(entered)
        wrmsr
        ; Down to ring 3.
        push    dword USER_DATA
        push    dword 0x6000
        push    dword 2
        push    dword USER_CODE
        push    dword linear(user)
        iretd

user:
        mov     ax, USER_DATA
        mov     ds, ax
        mov     es, ax
        xor     ebp, ebp
        mov     [0x1000], cs
        push    dword 0x1111
        push    dword 0x2222
        call    GATE_B + 3:0
        mov     [0x1014], esp
        mov     [0x1018], cs
        int     0x20
        mov     [0x102C], esp
        ; SYSENTER, which remembers nothing: EDX and ECX say where to go back.
        mov     ecx, esp
        mov     edx, linear(back)
        sysenter
back:   mov     [0x1040], cs
        mov     [0x1044], ss
        ; What is forbidden: a gate of ring 0, CLI, HLT, a port, a segment of ring 0.
        mov     esi, linear(next1)
        int     0x21
next1:  mov     esi, linear(next2)
        cli
next2:  mov     esi, linear(next3)
        hlt
next3:  mov     esi, linear(next4)
        mov     ax, DATA
        mov     ds, ax
next4:  mov     esi, linear(next5)
        in      al, 0x60
next5:  ; The last one ends the guest, which only ring 0 can.
        mov     esi, 0
        out     0x60, al

called:
        ; On the stack of ring 0: return address, parameters, the outer stack.
        mov     eax, [esp + 8]
        mov     [0x1004], eax
        mov     eax, [esp + 12]
        mov     [0x1008], eax
        mov     eax, [esp + 16]
        mov     [0x100C], eax
        mov     [0x1010], cs
        retf    8

service:
        mov     [0x101C], cs
        mov     eax, [esp + 12]
        mov     [0x1020], eax
        mov     eax, [esp + 4]
        mov     [0x1024], eax
        mov     [0x1028], esp
        iretd

entered:
        mov     [0x1030], cs
        mov     [0x1034], ss
        mov     [0x1038], esp
        ; SYSEXIT's segments follow SYSENTER's code segment: 0x1B and 0x23 here.
        sysexit

protection:
        pop     dword [ss:0x1200 + ebp * 4]
        inc     ebp
        mov     [esp], esi
        test    esi, esi
        jz      last
        iretd
last:   mov     [ss:0x1048], ebp
        done    0
bits 16
        reset_vector
