; SPDX-License-Identifier: GPL-2.0-or-later
;
; A Multiboot 1 kernel with address fields that says on port 0xE9 what it was given: magic, command line, loader,
; modules, the kinds of memory ranges, and whether its BSS is clear. Ends through isa-debug-exit at port 0x501 with
; the value 0x10. The same as ELF:
;   nasm -f elf32 -DELF, ld -m elf_i386 -N -Ttext 0x100000 -e entry

bits 32
cpu 486

FLAGS equ 1 << 0 | 1 << 1               ; modules on page boundaries, memory map
%ifdef ELF
%define HEADER_FLAGS FLAGS
global entry
%else
%define HEADER_FLAGS FLAGS | 1 << 16
org 0x100000
%endif

section .text
load_start:
    align 4
header:
    dd 0x1BADB002
    dd HEADER_FLAGS
    dd -(0x1BADB002 + (HEADER_FLAGS))
%ifndef ELF
    dd header
    dd load_start
    dd load_end
    dd bss_end
    dd entry
%endif

entry:
    mov esp, stack_end
    mov ebp, ebx
    mov esi, text_magic
    cmp eax, 0x2BADB002
    je .magic_known
    mov esi, text_no_magic
.magic_known:
    call say
    cmp dword [in_bss], 0
    mov esi, text_bss
    je .bss_known
    mov esi, text_no_bss
.bss_known:
    call say

    mov esi, text_command_line
    call say
    mov esi, [ebp + 16]
    call say
    mov esi, text_loader
    call say
    mov esi, [ebp + 64]
    call say

    ; Modules: their strings and first bytes.
    mov ecx, [ebp + 20]
    mov edi, [ebp + 24]
.next_module:
    jecxz .no_more_modules
    mov esi, text_module
    call say
    mov esi, [edi + 8]
    call say
    mov esi, text_is
    call say
    mov esi, [edi]
    test esi, 0xFFF
    jnz .next
    mov edx, [edi + 4]
    sub edx, esi
.next_byte:
    lodsb
    cmp al, 10
    je .next
    out 0xE9, al
    dec edx
    jnz .next_byte
.next:
    add edi, 16
    dec ecx
    jmp .next_module
.no_more_modules:

    ; The map: R for RAM, - for everything else.
    mov esi, text_map
    call say
    mov edi, [ebp + 48]
    mov ecx, edi
    add ecx, [ebp + 44]
.next_range:
    cmp edi, ecx
    jae .end_of_map
    mov al, "R"
    cmp dword [edi + 20], 1
    je .range_known
    mov al, "-"
.range_known:
    out 0xE9, al
    add edi, [edi]
    add edi, 4
    jmp .next_range
.end_of_map:
    mov esi, text_sizes
    cmp dword [ebp + 4], 600
    jb .said
    cmp dword [ebp + 8], 1024
    jb .said
    call say
.said:
    mov al, 10
    out 0xE9, al
    mov dx, 0x501
    mov al, 0x10
    out dx, al
    hlt
    jmp $ - 1

; Writes the text at ESI, which ends with 0, to port 0xE9.
say:
    lodsb
    test al, al
    jz .done
    out 0xE9, al
    jmp say
.done:
    ret

text_magic: db "Multiboot", 10, 0
text_no_magic: db "no Multiboot", 10, 0
text_bss: db "BSS is clear", 10, 0
text_no_bss: db "BSS is not clear", 10, 0
text_command_line: db "command line: ", 0
text_loader: db 10, "loader: ", 0
text_module: db 10, "module ", 0
text_is: db ": ", 0
text_map: db 10, "map: ", 0
text_sizes: db " sizes", 0
load_end:

section .bss
in_bss: resd 1
    resb 4096
stack_end:
bss_end:
