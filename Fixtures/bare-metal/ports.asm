; SPDX-License-Identifier: GPL-2.0-or-later
; Port input and output of every width, and string instructions up and down.
%include "guest.inc"

start:
        mov     dx, NOTE
        mov     al, 0x11
        out     dx, al
        mov     ax, 0x2222
        out     dx, ax
        mov     eax, 0x44444444
        out     dx, eax
        in      al, dx
        mov     [0x1000], al
        in      ax, dx
        mov     [0x1002], ax
        in      eax, dx
        mov     [0x1004], eax
        ; A string in, upwards: words.
        mov     di, 0x1100
        mov     cx, 5
        rep insw
        mov     [0x1010], di
        ; Downwards: bytes.
        std
        mov     di, 0x1204
        mov     cx, 5
        rep insb
        cld
        ; Dwords, over a page boundary.
        mov     di, 0x1FFC
        mov     cx, 3
        rep insd
        ; A string out, upwards and downwards.
        mov     dx, NOTE
        mov     si, text
        mov     cx, 4
        cs rep outsb
        std
        mov     si, text + 6
        mov     cx, 2
        cs rep outsw
        cld
        done    0

text:   db      "abcdefgh"
        reset_vector
