; SPDX-License-Identifier: GPL-2.0-or-later
; HLT, woken by the 8254's interrupt through the 8259.
%include "guest.inc"

start:
        handler 8, tick
        ; 8259: ICW1 … ICW4, vector 8, all but IRQ 0 masked.
        mov     al, 0x11
        out     0x20, al
        mov     al, 8
        out     0x21, al
        mov     al, 4
        out     0x21, al
        mov     al, 1
        out     0x21, al
        mov     al, 0xFE
        out     0x21, al
        ; 8254: counter 0, mode 2, about 1 kHz.
        mov     al, 0x34
        out     0x43, al
        mov     al, 1193 & 0xFF
        out     0x40, al
        mov     al, 1193 >> 8
        out     0x40, al
        mov     word [0x1000], 0
.wait:  sti
        hlt
        cmp     word [0x1000], 10
        jb      .wait
        done    0

tick:   push    ax
        inc     word [0x1000]
        mov     al, 0x20
        out     0x20, al
        pop     ax
        iret
        reset_vector
