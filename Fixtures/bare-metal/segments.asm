; SPDX-License-Identifier: GPL-2.0-or-later
; Segments of 32-bit protected mode (SDM volume 3, sections 3.4 and 5.3 to 5.6): limits, those that expand down, rights,
; selectors that cannot be loaded. Fault n leaves its vector and code at 0x1200 + 8n; what did not fault is all ones.
%include "guest.inc"
%include "protected.inc"

start:
        enter_protected_mode main

%define RECORDS 0x1200
%define descriptor(selector) (GDT + (selector))
; Behind what protected.inc has.
%define BYTES 0x40              ; 4 KiB at 0x20000, expand-up
%define DOWN 0x48               ; expand-down above 0xFFF, 32-bit
%define DOWN16 0x50             ; the same, 16-bit
%define READ_ONLY 0x58
%define EXECUTE_ONLY 0x60
%define MISSING 0x68            ; not present
%define BASED 0x70              ; 4 GiB from 0x20000 on
%define SHORT_CODE 0x78         ; code from 0xF0000 on, to the end of `code_end`
%define LOCAL 0x80              ; a local descriptor table
%define READABLE 0x88           ; code that may be read
%define LAST 0x8F

; Does %2 as number %1, and goes on behind it whether it faults or not.
%macro try 2+
        mov     edi, %1
        mov     ebx, linear(%%after)
        %2
%%after:
%endmacro
%macro put 3
        mov     dword [descriptor(%1)], %2
        mov     dword [descriptor(%1) + 4], %3
%endmacro

bits 32
main:
        mov     edi, RECORDS
        mov     eax, -1
        mov     ecx, 64 * 2
        rep     stosd
        gate    11, not_present, 0
        gate    12, stack_fault, 0
        gate    13, protection, 0
        put     BYTES, 0x00000FFF, 0x00409302
        put     DOWN, 0x00000FFF, 0x00409702
        put     DOWN16, 0x00000FFF, 0x00009702
        put     READ_ONLY, 0x0000FFFF, 0x00CF9100
        put     EXECUTE_ONLY, 0x0000FFFF, 0x00CF9900
        put     MISSING, 0x0000FFFF, 0x00CF1300
        put     BASED, 0x0000FFFF, 0x00CF9302
        put     SHORT_CODE, code_end - 1, 0x00409B0F
        put     LOCAL, 0x9100000F, 0x00008200
        put     READABLE, 0x0000FFFF, 0x00CF9B00
        ; The local one has a null and BYTES.
        mov     dword [0x9108], 0x00000FFF
        mov     dword [0x910C], 0x00409302
        lgdt    [linear(table)]
        mov     byte [0x20000], 0x11
        mov     dword [0x21000], 0x22222222
        mov     byte [0x2FFFF], 0x33

        ; A limit in bytes.
        mov     eax, BYTES
        mov     fs, ax
        try 0,  mov al, [fs:0xFFF]
        try 1,  mov al, [fs:0x1000]
        try 2,  mov eax, [fs:0xFFC]
        try 3,  mov eax, [fs:0xFFD]
        try 4,  mov [fs:0xFFFF], ax
        try 5,  mov eax, [fs:0xFFFFFFFE]
        ; The same as stack.
        mov     eax, BYTES
        mov     edx, esp
        mov     ss, ax
        mov     esp, 0x1000
        try 6,  push eax
        mov     esp, 0x800
        try 7,  mov eax, [ss:0x1000]
        mov     ebp, 0x1000
        try 8,  mov eax, [ebp]
        mov     eax, DATA
        mov     ss, ax
        mov     esp, edx
        ; Expand-down: what is above the limit.
        mov     eax, DOWN
        mov     fs, ax
        try 9,  mov al, [fs:0xFFF]
        try 10, mov eax, [fs:0xFFE]
        try 11, mov eax, [fs:0x1000]
        mov     [0x1000], eax
        try 12, mov al, [fs:0xFFFE0000]
        try 13, mov eax, [fs:0xFFFFFFFE]
        mov     eax, DOWN16
        mov     fs, ax
        try 14, mov al, [fs:0xFFFF]
        mov     [0x1004], al
        try 15, mov ax, [fs:0xFFFF]
        try 16, mov al, [fs:0x10000]
        try 17, mov al, [fs:0]
        ; Rights.
        mov     eax, READ_ONLY
        mov     fs, ax
        try 18, mov eax, [fs:0x1000]
        try 19, mov [fs:0x1000], eax
        mov     eax, READABLE
        mov     fs, ax
        try 20, mov eax, [fs:0x1000]
        try 21, mov [fs:0x1000], eax
        try 22, mov eax, [cs:0x1000]
        try 23, mov [cs:0x1000], eax
        xor     eax, eax
        try 24, mov fs, ax
        try 25, mov eax, [fs:0x1000]
        ; What cannot be loaded.
        mov     eax, EXECUTE_ONLY
        try 26, mov fs, ax
        mov     eax, MISSING
        try 27, mov fs, ax
        try 28, mov ss, ax
        mov     eax, READ_ONLY
        try 29, mov ss, ax
        mov     eax, DATA + 1
        try 30, mov ss, ax
        mov     eax, LAST + 1
        try 31, mov fs, ax
        xor     eax, eax
        try 32, mov ss, ax
        mov     eax, TASK_A
        try 33, mov fs, ax
        mov     eax, 0xC
        try 34, mov fs, ax
        mov     eax, LOCAL
        lldt    ax
        mov     eax, 0xC
        try 35, mov fs, ax
        try 36, mov al, [fs:0x1000]
        mov     eax, 0x14
        try 37, mov fs, ax
        ; The end of 4 GiB: an operand over it is refused, but wraps around where the base is not 0.
        try 38, mov eax, [0xFFFFFFFE]
        mov     eax, BASED
        mov     fs, ax
        try 39, mov eax, [fs:0xFFFFFFFE]
        try 40, mov eax, [fs:0xFFFE1000]
        mov     dword [0], 0x55667788
        try 41, mov eax, [fs:0xFFFE0000]
        mov     [0x1008], eax
        try 44, mov eax, [fs:0xFFFDFFFE]
        mov     [0x1010], eax
        ; Code that ends.
        jmp     SHORT_CODE:short_code
after:  mov     dword [0x100C], 0x600D
        done    0

short_code:
        mov     edi, 42
        mov     ebx, linear(behind)
        mov     eax, code_end
        jmp     eax
behind: mov     edi, 43
        mov     ebx, linear(after)
        ; An instruction that runs over the end.
        jmp     SHORT_CODE:last
last:   db      0xB8, 0, 0
code_end:
        db      0, 0

not_present:
        mov     [RECORDS + edi * 8], dword 11
        jmp     noted
stack_fault:
        mov     [RECORDS + edi * 8], dword 12
        jmp     noted
protection:
        mov     [RECORDS + edi * 8], dword 13
noted:  pop     dword [RECORDS + 4 + edi * 8]
        ; The frame is dropped instead of an IRET: the segments are those of the gate.
        add     esp, 12
        jmp     ebx
table:  dw      LAST
        dd      GDT
bits 16
        reset_vector
