; SPDX-License-Identifier: GPL-2.0-or-later
; Bus-master IDE on the primary master: COUNT commands of 128 KiB each, one after the other, each waited for by
; its interrupt. READ DMA first, then WRITE DMA.
%include "report.inc"
%ifndef COUNT
%define COUNT 256
%endif
COMMAND equ 0x1F0
prd equ 0x6000
  BOOT_SECTOR
  cli
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
  ; Two PRDs of 64 KiB.
  mov dword [prd], 0x10000
  mov dword [prd + 4], 0
  mov dword [prd + 8], 0x20000
  mov dword [prd + 12], 0x80000000
  mov word [0x76 * 4], interrupt
  mov word [0x76 * 4 + 2], 0
  in al, 0xA1
  and al, 0xBF
  out 0xA1, al
  in al, 0x21
  and al, 0xFB
  out 0x21, al
  ; No other interrupt: the timer's would be counted in.
  or al, 1
  out 0x21, al

  mov byte [command], 0xC8
  mov byte [direction], 8
  call measure
  REPORT "read"
  mov byte [command], 0xCA
  mov byte [direction], 0
  call measure
  REPORT "write"
  END_OF_BENCH

config:
  mov dx, 0xCF8
  out dx, eax
  mov dx, 0xCFC
  ret

measure:
  START_WATCH
  mov cx, COUNT
.next:
  mov [block], cx
  mov dx, [bmide]
  mov al, [direction]
  out dx, al
  add dx, 2
  mov al, 6
  out dx, al
  add dx, 2
  mov eax, prd
  out dx, eax
  mov dx, COMMAND + 2
  xor al, al                    ; 256 sectors
  out dx, al
  inc dx
  xor al, al
  out dx, al
  inc dx
  mov al, [block]
  out dx, al
  inc dx
  xor al, al
  out dx, al
  inc dx
  mov al, 0xE0
  out dx, al
  inc dx
  mov al, [command]
  mov byte [done], 0
  out dx, al
  mov dx, [bmide]
  mov al, [direction]
  or al, 1
  out dx, al
  ; Not HLT: a KVM that interprets may take the interrupt between STI and HLT.
  sti
.wait:
  cmp byte [done], 0
  je .wait
  cli
  mov dx, [bmide]
  mov al, [direction]
  out dx, al
  loop .next
  ret

interrupt:
  push ax
  push dx
  mov dx, [bmide]
  add dx, 2
  in al, dx
  mov al, 6
  out dx, al
  mov dx, COMMAND + 7
  in al, dx
  test al, 0x21
  jz .ok
  mov al, "!"
  out 0xE9, al
.ok:
  mov al, 0x20
  out 0xA0, al
  out 0x20, al
  mov byte [done], 1
  pop dx
  pop ax
  iret

bmide: dw 0
block: dw 0
command: db 0
direction: db 0
done: db 0
REPORT_ROUTINES
  times 510 - ($ - $$) db 0
  dw 0xAA55
