; SPDX-License-Identifier: GPL-2.0-or-later
; Device registers in memory at every width, at odd addresses and over the edge of RAM, and writes to ROM; in
; real mode, then 8 bytes at once in long mode.
%include "guest.inc"

start:
        mov     ax, MMIO_SEGMENT
        mov     fs, ax
        mov     byte [fs:0x10], 0x11
        mov     word [fs:0x20], 0x2233
        mov     dword [fs:0x30], 0x44556677
        mov     word [fs:0x41], 0x8899
        mov     al, [fs:0x10]
        mov     [0x1000], al
        mov     ax, [fs:0x20]
        mov     [0x1002], ax
        mov     eax, [fs:0x30]
        mov     [0x1004], eax
        ; One byte in RAM, three in registers.
        mov     ax, 0xCF00
        mov     gs, ax
        mov     dword [gs:0x0FFF], 0xAABBCCDD
        mov     eax, [gs:0x0FFF]
        mov     [0x1008], eax
        ; ROM keeps what it has.
        mov     al, [cs:constant]
        mov     byte [cs:constant], 0
        cmp     al, [cs:constant]
        setne   [0x100C]

        enter_long_mode long_mode

bits 64
long_mode:
        mov     rax, 0x1122334455667788
        mov     ebx, 0xD0050
        mov     [rbx], rax
        mov     rax, [rbx]
        mov     [abs 0x1010], rax
        mov     dx, DONE
        mov     al, 0
        out     dx, al
.stop:  hlt
        jmp     .stop

constant: db    0x5A
bits 16
        reset_vector
