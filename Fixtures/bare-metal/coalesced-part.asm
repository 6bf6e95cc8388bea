; SPDX-License-Identifier: GPL-2.0-or-later
; Writes to a window of which a part may be written late, 0xD4004 … 0xD4007; then waits, without leaving the CPU, until
; the byte at 0x1001 is set, having set the one at 0x1000.
%include "guest.inc"

start:
        mov     ax, MMIO_SEGMENT
        mov     fs, ax
        mov     byte [0x1000], 0
        mov     byte [0x1001], 0
        mov     dword [fs:0x4000], 0x11
        mov     dword [fs:0x4004], 0x22
        mov     byte [0x1000], 1
.wait:  cmp     byte [0x1001], 0
        je      .wait
        mov     dword [fs:0x4004], 0x33
        mov     dword [fs:0x4008], 0x44
        done    0
        reset_vector
