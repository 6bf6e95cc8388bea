; SPDX-License-Identifier: GPL-2.0-or-later
; Writes that may be queued, to the registers at 0xD4000 and to port 0x540, between others that are not.
%include "guest.inc"

start:
        mov     ax, MMIO_SEGMENT
        mov     fs, ax
        mov     word [fs:0x4000], 0x1111
        mov     byte [fs:0x4002], 0x22
        mov     dword [fs:0x4004], 0x33333333
        mov     dx, 0x540
        mov     al, 0x66
        out     dx, al
        note    0x44
        mov     byte [fs:0x4008], 0x55
        done    0
        reset_vector
