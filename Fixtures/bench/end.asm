; SPDX-License-Identifier: GPL-2.0-or-later
; Ends the machine as soon as the BIOS has started it: the time until then is the BIOS's.
%include "report.inc"
  bits 16
  org 0x7C00
  END_OF_BENCH
  times 510 - ($ - $$) db 0
  dw 0xAA55
