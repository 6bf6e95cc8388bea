; SPDX-License-Identifier: GPL-2.0-or-later
; Reads COUNT times 32 KiB from the stick it was booted from, with the firmware's driver for its controller.
%include "report.inc"
%ifndef COUNT
%define COUNT 64
%endif
  BOOT_SECTOR
  sti
  mov [drive], dl
  START_WATCH
  mov cx, COUNT
.next:
  push cx
  mov ah, 0x42
  mov dl, [drive]
  mov si, packet
  int 0x13
  pop cx
  jc failed
  add dword [block], 64
  loop .next
  REPORT "usb"
  END_OF_BENCH
failed:
  mov al, "!"
  out 0xE9, al
  END_OF_BENCH
drive: db 0
  align 4
packet:
  db 16, 0
  dw 64
  dw 0, 0x1000
block: dd 0, 0
REPORT_ROUTINES
  times 510 - ($ - $$) db 0
  dw 0xAA55
