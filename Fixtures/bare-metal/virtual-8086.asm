; SPDX-License-Identifier: GPL-2.0-or-later
; Virtual-8086 mode (SDM volume 3, chapter 20), first with IOPL 3, then with IOPL 0.
%include "guest.inc"
%include "protected.inc"

start:
        enter_protected_mode main

bits 32
main:
        gate    0x20, service, 3
        gate    13, protection, 0
        ; The program goes to 0x4000: segment 0x400.
        mov     esi, linear(program)
        mov     edi, 0x4000
        mov     ecx, program_end - program
        rep     movsb
        xor     ebp, ebp
        mov     ebx, 0x23002
enter:
        ; GS, FS, DS, ES, SS:SP, EFLAGS with VM, CS:IP.
        push    dword 0x70
        push    dword 0x60
        push    dword 0x100
        push    dword 0x40
        push    dword 0x500
        push    dword 0x800
        push    ebx
        push    dword 0x400
        push    dword 0
        iretd

; INT 0x20: the frame on the inner stack. The data segments are null here.
service:
        mov     [ss:0x1100], eax
        mov     eax, [esp]
        mov     [ss:0x1104], eax
        mov     eax, [esp + 4]
        mov     [ss:0x1108], eax
        mov     eax, [esp + 8]
        mov     [ss:0x110C], eax
        mov     eax, [esp + 24]
        mov     [ss:0x1110], eax
        mov     [ss:0x1114], ds
        iretd

; What IOPL or CPL forbids: the code and the offset, for each time.
protection:
        pop     dword [ss:0x1200 + ebp * 8]
        mov     eax, [esp]
        mov     [ss:0x1204 + ebp * 8], eax
        inc     ebp
        cmp     ebp, 1
        jne     last
        mov     esp, 0x7000
        mov     ebx, 0x20002
        jmp     enter
last:   done    0

bits 16
program:
        mov     ax, 0x1234
        mov     [0], ax
        cli
        sti
        pushf
        pop     word [2]
        int     0x20
        hlt
program_end:
        reset_vector
