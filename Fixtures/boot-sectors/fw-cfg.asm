; SPDX-License-Identifier: GPL-2.0-or-later
; Says the name and the contents of each file in fw_cfg whose name begins with "opt/", and ends with 8.
%include "common.inc"
PROLOGUE
  ; The directory: a count, then entries of 64 bytes, all big-endian.
  mov dx, 0x510
  mov ax, 0x0019
  out dx, ax
  inc dx
  mov di, directory
  mov cx, 4 + 64 * 40
  rep insb
  mov cx, [directory + 2]
  xchg cl, ch
  mov si, directory + 4
next:
  cmp dword [si + 8], "opt/"
  jne skip
  push si
  lea si, [si + 8]
  call say
  mov al, "="
  out DEBUG_CONSOLE, al
  pop si
  push cx
  mov ax, [si + 4]              ; the selector
  xchg al, ah
  mov dx, 0x510
  out dx, ax
  inc dx
  mov cx, [si + 2]              ; the size, of which this is the low half
  xchg cl, ch
.byte:
  in al, dx
  out DEBUG_CONSOLE, al
  loop .byte
  mov al, 10
  out DEBUG_CONSOLE, al
  pop cx
skip:
  add si, 64
  loop next
  EXIT 8
directory equ 0x8000
EPILOGUE
