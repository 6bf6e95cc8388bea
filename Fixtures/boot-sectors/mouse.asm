; SPDX-License-Identifier: GPL-2.0-or-later
; Has the BIOS's PS/2 mouse services (INT 15h, AH=C2h) call back for each packet, and tells its status byte, X and Y
; on the debug console.
%include "common.inc"
PROLOGUE
  mov ax, 0xC205
  mov bh, 3
  int 0x15
  jc failed
  push cs
  pop es
  mov bx, moved
  mov ax, 0xC207
  int 0x15
  jc failed
  mov ax, 0xC200
  mov bh, 1
  int 0x15
  jc failed
  SAY ready
wait_for_interrupts:
  sti
  hlt
  jmp wait_for_interrupts
failed:
  SAY no_mouse
  jmp wait_for_interrupts

; Called far, with status, X, Y and 0 pushed in this order.
moved:
  push bp
  mov bp, sp
  push ax
  mov al, [bp + 12]
  call hexbyte
  mov al, [bp + 10]
  call hexbyte
  mov al, [bp + 8]
  call hexbyte
  mov al, 10
  out DEBUG_CONSOLE, al
  pop ax
  pop bp
  retf

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
ready: db "ready", 10, 0
no_mouse: db "no mouse", 10, 0
EPILOGUE
