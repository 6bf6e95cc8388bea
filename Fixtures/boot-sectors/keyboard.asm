; SPDX-License-Identifier: GPL-2.0-or-later
; Shows what is typed, by INT 16h and INT 10h, and tells scan code and character on the debug console.
; Ctrl-Alt-Del is left to the BIOS.
%include "common.inc"
PROLOGUE
  SAY text
again:
  mov ah, 0x00
  int 0x16
  push ax
  mov bx, 7
  mov ah, 0x0E
  int 0x10
  pop ax
  push ax
  mov al, ah
  call hexbyte
  pop ax
  call hexbyte
  mov al, 10
  out DEBUG_CONSOLE, al
  jmp again

hexbyte:
  push ax
  shr al, 4
  call digit
  pop ax
  and al, 15
digit:
  add al, "0"
  cmp al, "9"
  jbe .put
  add al, "a" - "9" - 1
.put:
  out DEBUG_CONSOLE, al
  ret
text: db "ready", 10, 0
EPILOGUE
