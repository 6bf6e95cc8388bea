; SPDX-License-Identifier: GPL-2.0-or-later
; Shuts the CPU down: a page fault in 64-bit mode with an empty interrupt table. (Not in real mode, where a KVM that
; interprets takes the table's limit for more than it is.)
%include "common.inc"
PROLOGUE
  SAY text
  cli
  ; One 2 MiB page at 0; the tables at 0x1000, 0x2000 and 0x3000 are otherwise empty.
  mov di, 0x1000
  mov cx, 0x1800
  xor ax, ax
  rep stosw
  mov word [0x1000], 0x2003
  mov word [0x2000], 0x3003
  mov word [0x3000], 0x0083
  mov eax, 0x20                 ; CR4.PAE
  mov cr4, eax
  mov eax, 0x1000
  mov cr3, eax
  mov ecx, 0xC0000080           ; EFER.LME
  rdmsr
  or ah, 1
  wrmsr
  lgdt [gdt_pointer]
  lidt [empty]
  mov eax, cr0
  or eax, 0x80000001            ; PG and PE
  mov cr0, eax
  jmp 8:long_mode
bits 64
long_mode:
  mov eax, 0x10000000
  mov [rax], eax
  hlt
bits 16
text: db "about to triple fault", 10, 0
empty: dw 0
  dd 0
gdt: dq 0, 0x00209A0000000000
gdt_pointer: dw $ - gdt - 1
  dd gdt
EPILOGUE
