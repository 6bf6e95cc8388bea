; SPDX-License-Identifier: GPL-2.0-or-later
; Writes a pattern to LBA 5 of the boot disk by INT 13h (EDD), reads it back, and compares.
%include "common.inc"
PROLOGUE
  mov di, buffer
  mov cx, 256
  mov ax, 0x1234
fill:
  stosw
  add ax, 0x0101
  loop fill

  mov ah, 0x43                  ; extended write
  mov al, 0
  call transfer
  mov word [packet + 4], buffer + 512
  mov ah, 0x42                  ; extended read
  call transfer

  mov si, buffer
  mov di, buffer + 512
  mov cx, 256
  repe cmpsw
  jne bad
  SAY good_text
  EXIT 8
bad:
  SAY bad_text
  EXIT 9

transfer:
  mov si, packet
  mov dl, [boot_drive]
  int 0x13
  jc bad
  ret

packet: db 16, 0
  dw 1
  dw buffer, 0
  dq 5
good_text: db "written", 10, 0
bad_text: db "failed", 10, 0
buffer equ 0x8000
EPILOGUE
