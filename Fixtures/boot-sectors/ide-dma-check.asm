; SPDX-License-Identifier: GPL-2.0-or-later
; Bus-master IDE on the primary master, as a driver does it: WRITE DMA of 8 sectors to LBA 8 from a list of three
; regions, READ DMA of them into a list of other regions, each ended by its interrupt; then the data is compared.
%include "common.inc"
PROLOGUE
  ; The controller is function 1 of device 1: make it a bus master, find its registers (BAR 4).
  mov eax, 0x80000904
  call config
  in ax, dx
  or al, 5
  out dx, ax
  mov eax, 0x80000920
  call config
  in ax, dx
  and al, 0xF0
  mov [bmide], ax
  mov word [0x76 * 4], interrupt
  mov word [0x76 * 4 + 2], 0
  in al, 0xA1
  and al, 0xBF
  out 0xA1, al

  ; 4 KiB of pattern at 0x10000.
  push word 0x1000
  pop es
  xor di, di
  mov ax, 0xA5C3
fill:
  stosw
  imul ax, ax, 25173
  add ax, 13849
  cmp di, 4096
  jne fill

  mov si, write_list
  mov bx, 0x35 << 8             ; WRITE DMA EXT, from memory
  call transfer
  mov si, read_list
  mov bx, 0x25 << 8 | 8         ; READ DMA EXT, to memory
  call transfer

  ; The read list's regions lie one after the other from 0x20000 on but for the last, at 0x30000.
  push word 0x2000
  pop ds
  xor si, si
  xor di, di
  mov cx, 3072
  repe cmpsb
  jne bad
  push word 0x3000
  pop ds
  xor si, si
  mov cx, 1024
  repe cmpsb
  jne bad
  xor ax, ax
  mov ds, ax
  SAY good_text
  EXIT 8
bad:
  xor ax, ax
  mov ds, ax
  SAY bad_text
  EXIT 9

config:
  mov dx, 0xCF8
  out dx, eax
  mov dx, 0xCFC
  ret

; Runs the command BH with direction BL and the list at SI, and waits for the interrupt.
transfer:
  mov dx, [bmide]
  mov al, bl
  out dx, al
  add dx, 2
  mov al, 6
  out dx, al
  add dx, 2
  movzx eax, si
  out dx, eax
  mov dx, 0x1F6
  mov al, 0xE0
  out dx, al
  ; The high bytes, then the low ones: 8 sectors at LBA 8.
  xor al, al
  call task_file
  mov al, 8
  call task_file
  mov byte [done], 0
  mov dx, 0x1F7
  mov al, bh
  out dx, al
  mov dx, [bmide]
  mov al, bl
  or al, 1
  out dx, al
.wait:
  cmp byte [done], 0
  je .wait
  mov al, bl
  out dx, al
  ; The interrupt, the list used up, no error.
  cmp word [seen], 0x5004
  jne bad
  ret

task_file:
  mov dx, 0x1F2
  out dx, al
  inc dx
  out dx, al
  inc dx
  xor al, al
  out dx, al
  inc dx
  out dx, al
  ret

interrupt:
  push ax
  push dx
  mov dx, [bmide]
  add dx, 2
  in al, dx
  and al, 7
  mov [seen], al
  mov al, 6
  out dx, al
  mov dx, 0x1F7
  in al, dx
  mov [seen + 1], al
  mov al, 0x20
  out 0xA0, al
  out 0x20, al
  mov byte [done], 1
  pop dx
  pop ax
  iret

done: db 0
seen: dw 0
bmide: dw 0
good_text: db "dma is right", 10, 0
bad_text: db "dma is wrong", 10, 0
  align 4
write_list:
  dd 0x10000, 2
  dd 0x10002, 1534
  dd 0x10600, 2560 | 0x80000000
read_list:
  dd 0x20000, 1000
  dd 0x203E8, 2072
  dd 0x30000, 1024 | 0x80000000
EPILOGUE
