; SPDX-License-Identifier: GPL-2.0-or-later
; Switches the machine off as ACPI does: SLP_TYP of S5 (0) with SLP_EN in PM1a_CNT, which SeaBIOS places at
; 0x604.
%include "common.inc"
PROLOGUE
  SAY text
  mov dx, 0x604
  mov ax, 0x2000
  out dx, ax
  hlt
text: db "switching off", 10, 0
EPILOGUE
