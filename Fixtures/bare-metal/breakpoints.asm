; SPDX-License-Identifier: GPL-2.0-or-later
; Debug exceptions (SDM volume 3, chapter 17): an instruction breakpoint, a data breakpoint, single steps. Each #DB leaves
; EIP at 0x1200 + 4n and DR6 at 0x1300 + 4n.
%include "guest.inc"
%include "protected.inc"

start:
        enter_protected_mode main

bits 32
main:
        gate    1, debug, 0
        xor     ebp, ebp
        ; An instruction: the fault comes before it, and RF lets it go on.
        mov     eax, linear(instruction)
        mov     [0x1000], eax
        mov     dr0, eax
        mov     eax, 0x401
        mov     dr7, eax
        xor     ecx, ecx
        inc     ecx
instruction:
        inc     ecx
        inc     ecx
        mov     [0x1010], ecx
        ; Four bytes that are written: the trap comes right behind the instruction.
        mov     eax, 0x1100
        mov     dr1, eax
        mov     eax, 0x400 | 1 << 2 | 0xD << 20
        mov     dr7, eax
        mov     eax, linear(written)
        mov     [0x1004], eax
        mov     eax, [0x1100]
        mov     byte [0x1103], 7
written:
        inc     ecx
        inc     ecx
        mov     byte [0x1104], 7
        mov     [0x1014], ecx
        xor     eax, eax
        mov     dr7, eax
        ; Three steps: TF is looked at after the instruction behind POPF.
        mov     eax, linear(stepped)
        mov     [0x1008], eax
        pushfd
        or      dword [esp], 0x100
        popfd
        nop
stepped:
        nop
        pushfd
        and     dword [esp], ~0x100
        popfd
        nop
        mov     [0x1018], ebp
        ; Two ports.
        gate    0x20, nothing, 0
        mov     eax, cr4
        or      al, 8
        mov     cr4, eax
        mov     eax, NOTE
        mov     dr2, eax
        mov     eax, 0x400 | 1 << 4 | 2 << 24 | 1 << 26
        mov     dr7, eax
        mov     eax, linear(input)
        mov     [0x101C], eax
        mov     edx, NOTE + 1
        in      al, dx
input:  nop
        xor     eax, eax
        mov     dr7, eax
        ; Steps over MOV SS, which hides one, and INT, which is one with its handler.
        mov     eax, linear(steps)
        mov     [0x1020], eax
        pushfd
        or      dword [esp], 0x100
        popfd
        mov     ax, ss
steps:  mov     ss, ax
        nop
        int     0x20
        pushfd
        and     dword [esp], ~0x100
        popfd
        nop
        mov     [0x1024], ebp
        done    0

nothing:
        nop
        iretd

debug:
        push    eax
        mov     eax, [esp + 4]
        mov     [0x1200 + ebp * 4], eax
        mov     eax, dr6
        mov     [0x1300 + ebp * 4], eax
        mov     eax, 0xFFFF0FF0
        mov     dr6, eax
        inc     ebp
        or      dword [esp + 12], 0x10000
        pop     eax
        iretd
bits 16
        reset_vector
