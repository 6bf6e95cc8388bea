; SPDX-License-Identifier: GPL-2.0-or-later
; A network bootstrap program (PXE 2.1, section 1.3): loaded to 0x7C00 over the network, it says so and ends the machine.
%include "common.inc"
PROLOGUE
  SAY text
  EXIT 3
text: db "started from the network", 10, 0
EPILOGUE
