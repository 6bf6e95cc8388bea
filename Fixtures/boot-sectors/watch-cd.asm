; SPDX-License-Identifier: GPL-2.0-or-later
; Reads the first sector of the CD (master of the second channel) over and over, by PIO as ATA/ATAPI-4 has it, and
; tells its first four characters on the debug console when they change; "none" if it cannot be read.
%include "common.inc"

COMMAND_BLOCK equ 0x170
CONTROL equ 0x376
BUFFER equ 0x8000
NONE equ "none"

PROLOGUE
  cld
  mov dx, CONTROL
  mov al, 2                     ; nIEN
  out dx, al
again:
  call read
  jnc .show
  mov dword [BUFFER], NONE
.show:
  mov eax, [BUFFER]
  cmp eax, [last]
  je again
  mov [last], eax
  SAY last
  jmp again

; Reads sector 0 to BUFFER; carry if that fails.
read:
  mov dx, COMMAND_BLOCK + 6     ; device
  mov al, 0xA0
  out dx, al
  mov dx, COMMAND_BLOCK + 1     ; features: PIO
  xor al, al
  out dx, al
  mov dx, COMMAND_BLOCK + 4     ; byte count limit: 2048
  out dx, al
  inc dx
  mov al, 8
  out dx, al
  mov dx, COMMAND_BLOCK + 7     ; PACKET
  mov al, 0xA0
  out dx, al
  call wait_ready
  mov si, packet
  mov cx, 6
  mov dx, COMMAND_BLOCK
  rep outsw
  call wait_ready
  test al, 1                    ; CHK
  jnz .failed
  test al, 8                    ; DRQ
  jz .failed
  mov di, BUFFER
  mov cx, 1024
  mov dx, COMMAND_BLOCK
  rep insw
  call wait_ready
  clc
  ret
.failed:
  stc
  ret

; Waits until the device is not busy; its status in AL.
wait_ready:
  mov dx, CONTROL
  in al, dx
  mov dx, COMMAND_BLOCK + 7
.busy:
  in al, dx
  test al, 0x80
  jnz .busy
  ret

packet: db 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0 ; READ (10), one block at 0
last: dd 0
  db 10, 0
EPILOGUE
