; SPDX-License-Identifier: GPL-2.0-or-later
; Hardware task switches by CALL, through a task gate, by an interrupt, and back by IRET (SDM volume 3, chapter 7).
; The other task is entered where it left off each time.
%include "guest.inc"
%include "protected.inc"

start:
        enter_protected_mode main

bits 32
main:
        mov     dword [TSS_B + 0x20], linear(other)
        mov     dword [TSS_B + 0x24], 2
        mov     dword [TSS_B + 0x38], 0x6000
        mov     dword [TSS_B + 0x48], DATA
        mov     dword [TSS_B + 0x4C], CODE
        mov     dword [TSS_B + 0x50], DATA
        mov     dword [TSS_B + 0x54], DATA
        mov     dword [TSS_B + 0x58], DATA
        mov     dword [TSS_B + 0x5C], DATA
        mov     dword [IDT + 0x40 * 8], TASK_B << 16
        mov     dword [IDT + 0x40 * 8 + 4], 0x8500
        gate    13, protection, 0
        mov     ebx, 0x12345678
        call    TASK_B:0
        mov     [0x1010], ebx
        ; Busy is only who runs or waits.
        mov     al, [GDT + TASK_A + 5]
        mov     [0x1014], al
        mov     al, [GDT + TASK_B + 5]
        mov     [0x1015], al
        call    TASK_B:0
        call    GATE_B:0
        int     0x40
        ; The task that runs is busy: #GP with its selector.
        jmp     TASK_A:0

other:
        inc     dword [0x1000]
        pushfd
        pop     dword [0x1004]
        mov     ax, [TSS_B]
        mov     [0x1008], ax
        mov     al, [GDT + TASK_A + 5]
        mov     [0x100C], al
        mov     ebx, 0
        iretd
        add     dword [0x1000], 0x100
        iretd
        add     dword [0x1000], 0x10000
        iretd
        add     dword [0x1000], 0x1000000
        iretd

protection:
        pop     dword [0x1018]
        done    0
bits 16
        reset_vector
