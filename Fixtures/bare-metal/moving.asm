; SPDX-License-Identifier: GPL-2.0-or-later
; Runs from RAM at 0xC0000, which the test remaps meanwhile, and adds up what it finds at 0xD8000.
%include "guest.inc"

start:
        mov     ax, 0xC000
        mov     es, ax
        mov     si, loop_code
        xor     di, di
        mov     cx, loop_end - loop_code
        cs rep movsb
        jmp     0xC000:0

loop_code:
        inc     dword [0x1000]
        mov     dx, NOTE
        mov     ax, [0x1000]
        test    al, 0x3F
        jnz     .again
        out     dx, al
.again: jmp     short loop_code
loop_end:
        reset_vector
