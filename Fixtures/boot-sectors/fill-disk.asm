; SPDX-License-Identifier: GPL-2.0-or-later
; Writes 1 MiB by INT 13h, 32 KiB at a time from LBA 64 on; all words of a piece are its number, from 1 to 32.
; Says each number, "error" and the BIOS's status if a piece fails, and ends with 8 if all were written, else 9.
%include "common.inc"
PROLOGUE
next:
  inc byte [piece]
  push word 0x1000
  pop es
  xor di, di
  movzx ax, byte [piece]
  mov cx, 32768 / 2
  rep stosw

  mov ah, 0x43                  ; extended write
  mov al, 0
  mov si, packet
  mov dl, [boot_drive]
  int 0x13
  jc bad
  mov al, [piece]
  call hexbyte
  mov al, 10
  out DEBUG_CONSOLE, al
  add word [lba], 64
  cmp byte [piece], 32
  jb next
  EXIT 8
bad:
  push ax
  SAY bad_text
  pop ax
  mov al, ah
  call hexbyte
  mov al, 10
  out DEBUG_CONSOLE, al
  EXIT 9

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

packet: db 16, 0
  dw 64
  dw 0, 0x1000
lba: dq 64
piece: db 0
bad_text: db "error ", 0
EPILOGUE
