; SPDX-License-Identifier: GPL-2.0-or-later
; Sends or receives COUNT Ethernet frames of LENGTH bytes through the network card, which is driven as an operating
; system's driver does, by polling memory instead of interrupts: CARD names the file with the driver,
; network-CARD.inc, which has
;   card_init     sets the card up; `base` holds its first base address register
;   card_send     sends ecx frames (at most BATCH) of edx bytes at esi, and waits until they are gone
;   card_receive  waits for a frame, and gives its buffer back
; -DRECEIVE receives, and sends a frame after each WINDOW received, so that the other end knows when to send more: what
; is not paced so is lost before any card sees it. The frames sent are UDP to 10.0.2.2, port PORT. -DIDLE sleeps with the card
; set up.
%include "report.inc"
%ifndef COUNT
%define COUNT 32768
%endif
%ifndef LENGTH
%define LENGTH 1514
%endif
%ifndef PORT
%define PORT 9
%endif
%ifndef WINDOW
%define WINDOW 16
%endif
BATCH equ 32
TRANSMIT_RING equ 0x10000
RECEIVE_RING equ 0x11000
SCRATCH equ 0x12000
RECEIVE_BUFFERS equ 0x20000     ; 64 of 2 KiB
SECTORS equ 8

  BOOT_SECTOR
  mov ax, 0x0200 + SECTORS
  mov bx, 0x7E00
  mov cx, 2
  mov dh, 0
  int 0x13
  jc failed
  cli
  ; The first device of class 02.00: a bus master with all its windows.
  mov ebx, 0x80000008
.look:
  mov eax, ebx
  call configuration
  in eax, dx
  shr eax, 16
  cmp ax, 0x0200
  je .found
  add ebx, 0x800
  cmp ebx, 0x80010000
  jb .look
  jmp failed
.found:
  lea eax, [ebx - 4]
  call configuration
  in ax, dx
  or al, 7
  out dx, ax
  lea eax, [ebx + 8]
  call configuration
  in eax, dx
  test al, 1
  jz .memory
  and al, 0xFC
  jmp .based
.memory:
  and al, 0xF0
.based:
  mov [base], eax
  lgdt [descriptors]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp 8:protected

failed:
  mov al, "!"
  out 0xE9, al
  END_OF_BENCH

configuration:
  mov dx, 0xCF8
  out dx, eax
  mov dx, 0xCFC
  ret

base: dd 0
descriptors: dw 23
  dd table
  align 8
table: dq 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
  times 510 - ($ - $$) db 0
  dw 0xAA55

  bits 32
protected:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x7C00
  cld
  call card_init
  ; Who has this address: networks learn it by asking.
  mov esi, announcement
  mov edx, 60
  mov ecx, 1
  call card_send
  ; The other end may begin.
  mov al, "S"
  out 0xE9, al
  mov al, 10
  out 0xE9, al
%ifdef IDLE
  ; The card is ready, the link is there, and nobody has anything to say.
.sleep:
  hlt
  jmp .sleep
%endif
%ifdef RECEIVE
  ; What comes first starts the watch.
  call receive_window
  START_WATCH
  mov ebp, COUNT / WINDOW
.next:
  call receive_window
%else
  START_WATCH
  mov ebp, COUNT / BATCH
.next:
  mov esi, frame
  mov edx, LENGTH
  mov ecx, BATCH
  call card_send
%endif
  dec ebp
  jnz .next
  xor esi, esi
  xor ecx, ecx
  REPORT "frames"
  END_OF_BENCH
REPORT_ROUTINES

%ifdef RECEIVE
receive_window:
  mov dword [left], WINDOW
.next:
  call card_receive
  dec dword [left]
  jnz .next
  mov esi, frame
  mov edx, LENGTH
  mov ecx, 1
  call card_send
  xor esi, esi
  ret
left: dd 0
%endif

  align 4
announcement:
  times 6 db 0xFF
  db 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1
  db 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 10, 0, 2, 15
  times 6 db 0
  db 10, 0, 2, 2
  times 18 db 0

%macro WORD_OUT 1
  db (%1) >> 8 & 0xFF, (%1) & 0xFF
%endmacro
%assign total LENGTH - 14
%assign sum 0x4500 + total + 0x4000 + 0x4011 + 0x0A00 + 0x020F + 0x0A00 + 0x0202
%assign sum (sum & 0xFFFF) + (sum >> 16)
%assign sum (sum & 0xFFFF) + (sum >> 16)
  align 4
frame:
  db 0x52, 0x55, 10, 0, 2, 2, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 8, 0
  WORD_OUT 0x4500
  WORD_OUT total
  WORD_OUT 0
  WORD_OUT 0x4000
  WORD_OUT 0x4011
  WORD_OUT ~sum
  db 10, 0, 2, 15, 10, 0, 2, 2
  WORD_OUT 1000
  WORD_OUT PORT
  WORD_OUT total - 20
  WORD_OUT 0
  times LENGTH - 42 db 0x5A

%defstr CARD_NAME CARD
%strcat CARD_FILE "network-", CARD_NAME, ".inc"
%include CARD_FILE
  times (SECTORS + 1) * 512 - ($ - $$) db 0
