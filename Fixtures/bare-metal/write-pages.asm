; SPDX-License-Identifier: GPL-2.0-or-later
; Writes to the pages 0x20, 0x23 and 0x7F.
%include "guest.inc"

start:
        mov     ax, 0x2000
        mov     fs, ax
        mov     byte [fs:0x0123], 1
        mov     byte [fs:0x3FFF], 1
        mov     ax, 0x7F00
        mov     fs, ax
        mov     byte [fs:0], 1
        done    0
        reset_vector
