; SPDX-License-Identifier: GPL-2.0-or-later
; Says the number of the drive it was started from, and what the CMOS says about the boot order (3Dh, 38h).
; From a CD it then resets the machine.
%include "common.inc"
PROLOGUE
  SAY drive_text
  mov al, [boot_drive]
  call hexbyte
  SAY cmos_text
  mov al, 0x3D
  out 0x70, al
  in al, 0x71
  call hexbyte
  mov al, 0x38
  out 0x70, al
  in al, 0x71
  call hexbyte
  mov al, 10
  out DEBUG_CONSOLE, al
  cmp byte [boot_drive], 0x90
  jb stop
  mov dx, 0xCF9
  mov al, 6
  out dx, al
stop:
  hlt
  jmp stop

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

drive_text: db "drive ", 0
cmos_text: db " order ", 0
EPILOGUE
