; SPDX-License-Identifier: GPL-2.0-or-later
; Says so, and then sleeps; the firmware's timer interrupt goes on looking at its USB keyboard and mouse.
%include "report.inc"
  bits 16
  org 0x7C00
  mov al, 10
  out 0xE9, al
  sti
.sleep:
  hlt
  jmp .sleep
  times 510 - ($ - $$) db 0
  dw 0xAA55
