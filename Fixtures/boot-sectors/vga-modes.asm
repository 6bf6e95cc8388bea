; SPDX-License-Identifier: GPL-2.0-or-later
; Goes through the VGA's modes: sets one with INT 10h, draws, says "mode XXXX" on the debug console, and waits
; for a key. Says "done" at the end. A screenshot of each can be compared with another machine's.
%include "common.inc"
PROLOGUE
  ; The rest of the program: eight sectors behind this one.
  mov ax, 0x0208
  mov bx, rest
  mov cx, 0x0002
  xor dh, dh
  mov dl, [boot_drive]
  int 0x13
  jc failed
  jmp rest
failed:
  SAY disk_error
  hlt
disk_error: db "disk error", 10, 0
EPILOGUE

rest:
  mov si, modes
.next:
  lodsw
  cmp ax, END
  je .done
  mov [mode], ax
  lodsw
  mov [bank_count], ax
  lodsw
  push si
  mov bp, ax
  call set_mode
  call bp
  call say_mode
  xor ah, ah
  int 0x16
  pop si
  jmp .next
.done:
  SAY done
.stop:
  hlt
  jmp .stop

END equ 0xFFFF
MODE_X equ 0x00F0

; mode, 64 KiB banks to fill, what draws it
modes:
  dw 0x0001, 0, draw_text
  dw 0x0003, 0, draw_text
  dw 0x0004, 0, draw_cga
  dw 0x0006, 0, draw_cga
  dw 0x000D, 0, draw_planar
  dw 0x0010, 0, draw_planar
  dw 0x0012, 0, draw_planar
  dw 0x0013, 1, draw_banks
  dw MODE_X, 0, draw_planar
  dw 0x0101, 5, draw_banks
  dw 0x0110, 10, draw_banks
  dw 0x0111, 10, draw_banks
  dw 0x0112, 15, draw_banks
  dw 0x0142, 19, draw_banks
  dw END

set_mode:
  mov ax, [mode]
  cmp ax, MODE_X
  je mode_x
  test ah, ah
  jnz .vesa
  int 0x10
  ret
.vesa:
  mov bx, ax
  mov ax, 0x4F02
  int 0x10
  ret

; 320x240 in 256 colours without chain-4: mode 13h with the timing of 480 lines.
mode_x:
  mov ax, 0x0013
  int 0x10
  mov dx, 0x3C4
  mov ax, 0x0604
  out dx, ax
  mov dx, 0x3C2
  mov al, 0xE3
  out dx, al
  mov dx, 0x3D4
  mov si, .crtc
  mov cx, .count
.more:
  lodsw
  out dx, ax
  loop .more
  ret
.crtc:
  dw 0x2C11, 0x0D06, 0x3E07, 0x4109, 0xEA10, 0xAC11, 0xDF12, 0x0014, 0xE715, 0x0616, 0xE317
.count equ ($ - .crtc) / 2

; All characters (but B0h to BFh, whose ninth column differs between cards) in all colours without blinking.
draw_text:
  mov ah, 1
  mov cx, 0x2000
  int 0x10
  mov ax, 0xB800
  mov es, ax
  xor di, di
  xor bx, bx
.cell:
  mov al, bl
  and al, 0xF0
  cmp al, 0xB0
  mov al, bl
  jne .put
  mov al, '?'
.put:
  mov ah, bh
  add ah, bl
  and ah, 0x7F
  stosw
  inc bx
  cmp bx, 2000
  jb .cell
  ret

draw_cga:
  mov ax, 0xB800
  mov es, ax
  mov cx, 256
  mov bx, 0x1B35
  jmp fill

; Each plane with bytes of its own.
draw_planar:
  mov ax, 0xA000
  mov es, ax
  mov bx, 0x0711
  mov bp, 0x0102
.plane:
  mov ax, bp
  mov dx, 0x3C4
  out dx, ax
  mov cx, 1024
  call fill
  add bx, 0x2B0D
  add bp, bp
  and bp, 0x0F00
  or bp, 2
  cmp bp, 0x0002
  jne .plane
  mov ax, 0x0F02
  mov dx, 0x3C4
  out dx, ax
  ret

draw_banks:
  mov ax, 0xA000
  mov es, ax
  xor bp, bp
  mov bx, 0x0305
.bank:
  cmp word [mode], 0x0100
  jb .fill
  push bx
  mov ax, 0x4F05
  xor bx, bx
  mov dx, bp
  int 0x10
  pop bx
.fill:
  mov cx, 1024
  call fill
  add bx, 0x1D47
  inc bp
  cmp bp, [bank_count]
  jb .bank
  ret

; Fills CX runs of 64 bytes at ES:0 with words that go up by BX from one run to the next.
fill:
  xor di, di
  xor ax, ax
.run:
  push cx
  mov cx, 32
  rep stosw
  add ax, bx
  rol ax, 1
  pop cx
  loop .run
  ret

say_mode:
  SAY mode_text
  mov bx, [mode]
  mov cx, 4
.digit:
  rol bx, 4
  mov al, bl
  and al, 15
  add al, '0'
  cmp al, '9'
  jbe .say
  add al, 'A' - '9' - 1
.say:
  out DEBUG_CONSOLE, al
  loop .digit
  mov al, 10
  out DEBUG_CONSOLE, al
  ret

mode_text: db "mode ", 0
done: db "done", 10, 0
mode: dw 0
bank_count: dw 0
  times 9 * 512 - ($ - $$) db 0
