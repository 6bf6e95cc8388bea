; SPDX-License-Identifier: GPL-2.0-or-later
; Says "ready" on COM1 and sends back what comes in, small letters as capitals.
%include "common.inc"
PROLOGUE
  mov dx, 0x3FB
  mov al, 0x83                  ; 8 data bits; the divisor
  out dx, al
  mov dx, 0x3F8
  mov al, 1
  out dx, al
  inc dx
  mov al, 0
  out dx, al
  mov dx, 0x3FB
  mov al, 0x03
  out dx, al
  mov dx, 0x3FC
  mov al, 0x03                  ; DTR, RTS
  out dx, al
  mov si, text
.next:
  lodsb
  test al, al
  jz .receive
  call send
  jmp .next
.receive:
  mov dx, 0x3FD
.wait:
  in al, dx
  test al, 1
  jz .wait
  mov dx, 0x3F8
  in al, dx
  cmp al, "a"
  jb .send
  cmp al, "z"
  ja .send
  sub al, "a" - "A"
.send:
  call send
  jmp .receive

send:
  mov ah, al
  mov dx, 0x3FD
.wait:
  in al, dx
  test al, 0x20
  jz .wait
  mov dx, 0x3F8
  mov al, ah
  out dx, al
  ret
text: db "ready", 13, 10, 0
EPILOGUE
