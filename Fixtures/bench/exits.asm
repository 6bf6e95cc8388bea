; SPDX-License-Identifier: GPL-2.0-or-later
; What a port read and an MMIO read that reach the emulator cost: COUNT of each, in cycles.
%include "report.inc"
%ifndef COUNT
%define COUNT 50000
%endif
  bits 16
  org 0x7C00
  jmp 0:start
start:
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7C00
  cli
  ; Port 0x92 is answered by the emulator on every machine of this kind.
  START_WATCH
  mov ecx, COUNT
  mov dx, 0x92
ports:
  in al, dx
  dec ecx
  jnz ports
  REPORT "port"
  ; Text memory is registers to the CPU: the card's planes are interleaved.
  mov ax, 0xB800
  mov es, ax
  START_WATCH
  mov ecx, COUNT
memory:
  mov al, [es:0]
  dec ecx
  jnz memory
  REPORT "mmio"
  END_OF_BENCH
REPORT_ROUTINES
  times 510 - ($ - $$) db 0
  dw 0xAA55
