; SPDX-License-Identifier: GPL-2.0-or-later
; PAE paging (SDM volume 3, section 4.4) with no-execute: a 2 MiB page, 4 KiB pages, a fetch that is refused, and when
; the page directory pointers are read. Each #PF and #GP leaves its code at 0x1200 + 8n and CR2 behind it, and goes on at
; EBX.
%include "guest.inc"
%include "protected.inc"

start:
        enter_protected_mode main

bits 32
main:
        gate    13, fault, 0
        gate    14, fault, 0
        xor     ebp, ebp
        ; Pointers at 0x10000, a directory at 0x11000, a table at 0x12000.
        xor     eax, eax
        mov     edi, 0x10000
        mov     ecx, 0xC00
        rep     stosd
        mov     dword [0x10000], 0x11001
        mov     dword [0x11000], 0x12003
        ; 2 MiB at 2 MiB show the first 2 MiB, and are not for execution.
        mov     dword [0x11008], 0x00000083
        mov     dword [0x1100C], 0x80000000
        mov     edi, 0x12000
        mov     eax, 3
        mov     ecx, 256
fill:   mov     [edi], eax
        add     edi, 8
        add     eax, 0x1000
        loop    fill
        ; Page 0x3000 may not be executed.
        mov     dword [0x12000 + 3 * 8 + 4], 0x80000000
        mov     byte [0x3000], 0xC3
        mov     byte [0x4000], 0xC3
        mov     eax, cr4
        or      al, 0x20
        mov     cr4, eax
        mov     ecx, 0xC0000080
        rdmsr
        or      ah, 8
        wrmsr
        mov     eax, 0x10000
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        mov     dword [0x201000], 0xABCD
        mov     eax, [0x11008]
        mov     [0x1004], eax
        mov     eax, 0x4000
        call    eax
        mov     ebx, linear(first)
        mov     eax, 0x3000
        call    eax
first:  mov     ebx, linear(second)
        mov     eax, 0x204000
        call    eax
second: mov     ebx, linear(third)
        mov     eax, [0x40000000]
third:  ; A reserved bit.
        mov     dword [0x12000 + 5 * 8 + 4], 0x40000000
        mov     eax, cr3
        mov     cr3, eax
        mov     ebx, linear(fourth)
        mov     eax, [0x5000]
fourth: ; The pointers are what they were when CR3 was loaded, whatever is in memory since.
        mov     dword [0x10008], 0x11001
        mov     ebx, linear(fifth)
        mov     eax, [0x40004000]
fifth:  mov     eax, cr3
        mov     cr3, eax
        mov     dword [0x4004], 0xFEED
        mov     eax, [0x40004004]
        mov     [0x100C], eax
        ; A reserved bit in one refuses a load, by CR3 or by a change of CR4.PGE, and leaves the others.
        mov     dword [0x10010], 0x11003
        mov     dword [0x10008], 0
        mov     ebx, linear(sixth)
        mov     eax, 0x10018
        mov     cr3, eax
sixth:  mov     eax, cr3
        mov     [0x1010], eax
        mov     ebx, linear(seventh)
        mov     eax, cr4
        or      al, 0x80
        mov     cr4, eax
seventh:
        mov     eax, cr4
        mov     [0x1014], eax
        or      al, 4
        mov     cr4, eax
        mov     eax, [0x40004004]
        mov     [0x1018], eax
        mov     [0x1008], ebp
        done    0

fault:
        pop     dword [0x1200 + ebp * 8]
        mov     eax, cr2
        mov     [0x1204 + ebp * 8], eax
        inc     ebp
        ; Where a call failed, its return address stays behind: no matter here.
        mov     [esp], ebx
        iretd
bits 16
        reset_vector
