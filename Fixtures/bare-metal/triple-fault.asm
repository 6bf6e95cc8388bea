; SPDX-License-Identifier: GPL-2.0-or-later
; A page fault with no interrupt table: shutdown.
%include "guest.inc"

start:
        enter_long_mode long_mode

bits 64
long_mode:
        mov     eax, 0x10000000
        mov     [rax], eax
bits 16
        done    1
        reset_vector
