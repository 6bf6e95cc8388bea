; SPDX-License-Identifier: GPL-2.0-or-later
; The bootstrap processor starts the others with INIT and a start-up IPI through its local APIC; each notes
; its local APIC ID. The number of CPUs is in the byte at 0x500.
%include "guest.inc"

start:
        ; Protected mode once, for 4 GiB segment limits in real mode.
        o32 lgdt [cs:gdt_register]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     .protected
.protected:
        mov     bx, 8
        mov     ds, bx
        and     al, 0xFE
        mov     cr0, eax
        jmp     0xF000:.real
.real:  xor     bx, bx
        mov     ds, bx
        ; The processors start at 0x8000: a far jump into this ROM.
        mov     byte [0x8000], 0xEA
        mov     word [0x8001], other
        mov     word [0x8003], 0xF000
        mov     byte [0x1000], 1
        mov     ebx, 0xFEE00000
        or      dword [ebx + 0xF0], 0x100       ; software-enable the local APIC
        mov     dword [ebx + 0x300], 0x000C4500 ; INIT to all others
        mov     cx, 1000
.delay: loop    .delay
        mov     dword [ebx + 0x300], 0x000C4608 ; start-up at 0x8000
.wait:  mov     al, [0x1000]
        cmp     al, [0x500]
        jb      .wait
        done    0

other:  xor     ax, ax
        mov     ds, ax
        mov     eax, 1
        cpuid
        shr     ebx, 24
        mov     byte [ebx + 0x1100], 1
        mov     dx, NOTE
        mov     al, bl
        out     dx, al
        lock inc byte [0x1000]
.stop:  cli
        hlt
        jmp     .stop

        align   8
gdt:    dq      0
        dq      0x00CF93000000FFFF      ; accessed already: the table is in ROM
gdt_register:
        dw      15
        dd      0xF0000 + gdt
        reset_vector
