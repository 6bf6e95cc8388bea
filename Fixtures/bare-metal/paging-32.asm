; SPDX-License-Identifier: GPL-2.0-or-later
; 32-bit paging (SDM volume 3, section 4.3): 4 KiB pages from a table at 0x11000, a 4 MiB page at 4 MiB, accessed and
; dirty bits, faults. Each #PF leaves its code at 0x1200 + 8n and CR2 behind it, and goes on at EBX.
%include "guest.inc"
%include "protected.inc"

start:
        enter_protected_mode main

bits 32
main:
        gate    14, fault, 0
        xor     ebp, ebp
        ; The first MiB maps itself, page by page.
        mov     edi, 0x11000
        mov     eax, 7
        mov     ecx, 256
fill:   stosd
        add     eax, 0x1000
        loop    fill
        ; 0x100000 is page 0x2000; 0x101000 is page 0x3000, read-only; nothing at 0x102000.
        mov     dword [0x11000 + 0x100 * 4], 0x2003
        mov     dword [0x11000 + 0x101 * 4], 0x3001
        mov     dword [0x10000], 0x11003
        ; 4 MiB at 4 MiB show the first 4 MiB.
        mov     dword [0x10004], 0x00000083
        mov     eax, cr4
        or      al, 0x10
        mov     cr4, eax
        mov     eax, 0x10000
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax
        ; Reads set accessed, writes dirty as well.
        mov     eax, [0x100000]
        mov     eax, [0x11400]
        mov     [0x1000], eax
        mov     dword [0x100004], 0xCAFE
        mov     eax, [0x11400]
        mov     [0x1004], eax
        mov     eax, [0x2004]
        mov     [0x1008], eax
        mov     dword [0x401010], 0xBEEF
        mov     eax, [0x10004]
        mov     [0x100C], eax
        ; Not there: read, write. Read-only with CR0.WP: write.
        mov     ebx, linear(first)
        mov     eax, [0x102004]
first:  mov     ebx, linear(second)
        mov     [0x102008], eax
second: mov     ebx, linear(third)
        mov     [0x101FFC], eax
third:  ; Across the edge of what is there: the address is where the rest begins.
        mov     ebx, linear(fourth)
        mov     eax, [0x101FFE]
fourth: ; Without WP the supervisor may.
        mov     eax, cr0
        and     eax, ~0x10000
        mov     cr0, eax
        mov     dword [0x101000], 0xF00D
        mov     eax, [0x3000]
        mov     [0x1014], eax
        mov     [0x1018], ebp
        done    0

fault:
        pop     dword [0x1200 + ebp * 8]
        mov     eax, cr2
        mov     [0x1204 + ebp * 8], eax
        inc     ebp
        mov     [esp], ebx
        iretd
bits 16
        reset_vector
