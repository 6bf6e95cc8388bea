; SPDX-License-Identifier: GPL-2.0-or-later
; Faults while a fault is delivered (SDM volume 3, table 6-5), in long mode: which come one after the other, and which
; are a double fault; and at last one that cannot be delivered at all: shutdown.
%include "guest.inc"
%include "long.inc"

start:
        enter_long main

bits 64
main:
        gate    8, double_fault, 1
        ; #GP whose gate is not there: #NP comes of it, and both are contributory.
        mov     byte [abs IDT + 13 * 16 + 5], 0x0E
        mov     rax, 1 << 47
        try 0,  mov ecx, [rax]
        ; #UD is not: #NP of its gate is delivered.
        mov     byte [abs IDT + 6 * 16 + 5], 0x0E
        try 1,  ud2
        mov     byte [abs IDT + 6 * 16 + 5], 0x8E
        ; #PF whose gate is not there.
        mov     byte [abs IDT + 14 * 16 + 5], 0x0E
        try 2,  mov eax, [abs 0x200000]
        ; #PF whose handler's stack is not there: #PF in #PF. IST 2 is on no page.
        mov     byte [abs IDT + 14 * 16 + 5], 0x8E
        mov     dword [abs TSS + 0x2C], 0x201000
        mov     byte [abs IDT + 14 * 16 + 4], 2
        try 3,  mov eax, [abs 0x200008]
        mov     byte [abs IDT + 14 * 16 + 4], 0
        ; #GP whose handler's stack is not there: #PF, not a double fault, comes after a contributory one.
        mov     byte [abs IDT + 13 * 16 + 5], 0x8E
        mov     byte [abs IDT + 13 * 16 + 4], 2
        try 4,  mov ecx, [rax]
        mov     byte [abs IDT + 13 * 16 + 4], 0
        ; #GP whose vector is beyond the table, which ends behind that of #DF.
        lidt    [abs linear(short_table)]
        try 5,  mov ecx, [rax]
        lidt    [abs linear(whole_table)]
        ; #GP whose handler is in a segment that is none.
        mov     word [abs IDT + 13 * 16 + 2], DATA
        try 6,  mov ecx, [rax]
        mov     word [abs IDT + 13 * 16 + 2], CODE
        ; A software interrupt to a gate that is not there is #NP without the external bit.
        mov     byte [abs IDT + 0x1F * 16 + 5], 0x0E
        try 7,  int 0x1F
        ; Beyond the table: #GP with the vector.
        try 8,  int 0x40
        ; And nothing for it: the gate of #DF is not there either.
        mov     dword [abs 0x1000], 0x7E57
        mov     byte [abs IDT + 8 * 16 + 5], 0x0E
        mov     byte [abs IDT + 13 * 16 + 5], 0x0E
        try 9,  mov ecx, [rax]
        done    1

double_fault:
        push    qword 8
        jmp     noted
short_table:
        dw      9 * 16 - 1
        dq      IDT
whole_table:
        dw      0x20 * 16 - 1
        dq      IDT
bits 16
        reset_vector
