; SPDX-License-Identifier: GPL-2.0-or-later
; Shuts the CPU down: an exception with an empty interrupt table and no double fault handler.
%include "common.inc"
PROLOGUE
  SAY text
  lidt [empty]
  ud2
  hlt
text: db "about to triple fault", 10, 0
empty: dw 0
  dd 0
EPILOGUE
