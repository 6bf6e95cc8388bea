; SPDX-License-Identifier: GPL-2.0-or-later
; Code that changes itself (SDM volume 3, section 11.6): the next instruction, one of the same loop, a routine that has
; run before, and an instruction across two pages.
%include "guest.inc"

start:
        ; The routine goes to RAM, 0x4000.
        mov     si, routine
        mov     di, 0x4000
        mov     cx, routine_end - routine
copy:   mov     al, [cs:si]
        mov     [di], al
        inc     si
        inc     di
        loop    copy
        call    0:0x4000
        done    0

routine:
        ; The next instruction, whose operand is a byte behind its first.
        mov     byte [0x4000 + next - routine + 1], 0x42
next:   mov     al, 0x11
        mov     [0x1000], al
        ; A loop whose step grows.
        xor     ax, ax
        mov     cx, 5
again:
step:   add     ax, 1
        inc     byte [0x4000 + step - routine + 2]
        loop    again
        mov     [0x1002], ax
        ; A routine called twice.
        mov     dword [0x5000], 0xC30001B8
        mov     bx, 0x5000
        call    bx
        mov     [0x1004], ax
        mov     byte [0x5001], 2
        call    bx
        mov     [0x1006], ax
        ; An instruction whose operand is on the next page: MOV EAX, imm32; RET.
        mov     dword [0x5FFD], 0x0504B866
        mov     dword [0x6001], 0x00C30706
        mov     bx, 0x5FFD
        call    bx
        mov     [0x1008], eax
        mov     byte [0x6001], 0x16
        call    bx
        mov     [0x100C], eax
        retf
routine_end:
        reset_vector
