; SPDX-License-Identifier: GPL-2.0-or-later
; Writes a pattern to LBA 5 of the boot disk by INT 13h, has the disk write out its cache (FLUSH CACHE at the
; primary master), says so and stops, so that the process can be killed.
%include "common.inc"
PROLOGUE
  mov di, buffer
  mov cx, 256
  mov ax, 0x4321
fill:
  stosw
  add ax, 0x0101
  loop fill

  mov ah, 0x43                  ; extended write
  mov al, 0
  mov si, packet
  mov dl, [boot_drive]
  int 0x13
  jc bad

  mov dx, 0x1F6
  mov al, 0xE0
  out dx, al
  inc dx
  mov al, 0xE7                  ; FLUSH CACHE
  out dx, al
  mov dx, 0x3F6                 ; the status that leaves the interrupt alone
  in al, dx
  in al, dx
wait_for_disk:
  in al, dx
  test al, 0x80                 ; BSY
  jnz wait_for_disk
  test al, 0x21                 ; DF, ERR
  jnz bad
  SAY good_text
stop:
  hlt
  jmp stop
bad:
  SAY bad_text
  jmp stop

packet: db 16, 0
  dw 1
  dw buffer, 0
  dq 5
good_text: db "flushed", 10, 0
bad_text: db "failed", 10, 0
buffer equ 0x8000
EPILOGUE
