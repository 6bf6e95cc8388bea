; SPDX-License-Identifier: GPL-2.0-or-later
; A 64 KiB BIOS that sends or receives COUNT Ethernet frames of LENGTH bytes through the network card, which is driven as an
; operating system's driver does, by polling memory instead of interrupts. It does so in 64-bit mode in ring 3, with all
; I/O allowed: a KVM without hardware virtualization interprets everything else, and would be measured instead of the card.
; CARD names the file with the driver, network-CARD.inc, which has
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
PAGE_TABLES equ 0x50000
IO_BASE equ 0xC000
MEMORY_BASE equ 0xFEB80000
BAR0 equ 0x10
CODE equ 0x08
DATA equ 0x10
USER_DATA equ 0x1B
USER_CODE equ 0x23
; A line of one letter on the debug console.
%macro TELL 1
  mov al, %1
  out 0xE9, al
  mov al, 10
  out 0xE9, al
%endmacro

; At reset the ROM is read; the guest's variables want RAM.
section guest start=0 vstart=0x7C00
  bits 16
start:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7C00
  ; The first device of class 02.00.
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
  mov al, "!"
  out 0xE9, al
  END_OF_BENCH
.found:
  and bl, 0
  lea eax, [ebx + BAR0]
  call configuration
  mov ecx, MEMORY_BASE
  in al, dx
  test al, 1
  jz .place
  mov ecx, IO_BASE
.place:
  mov [base], ecx
  mov eax, ecx
  out dx, eax
  ; A bus master with all its windows.
  lea eax, [ebx + 4]
  call configuration
  mov ax, 7
  out dx, ax
  ; 4 GiB that map themselves in pages of 2 MiB, for every ring.
  mov ax, PAGE_TABLES >> 4
  mov es, ax
  xor eax, eax
  xor di, di
  mov cx, 0x2000 / 4
  rep stosd
  mov dword [es:0], PAGE_TABLES + 0x1000 + 7
  mov dword [es:0x1000], PAGE_TABLES + 0x2000 + 7
  mov dword [es:0x1008], PAGE_TABLES + 0x3000 + 7
  mov dword [es:0x1010], PAGE_TABLES + 0x4000 + 7
  mov dword [es:0x1018], PAGE_TABLES + 0x5000 + 7
  mov di, 0x2000
  mov eax, 0x87
  mov cx, 4 * 512
.page:
  mov [es:di], eax
  mov dword [es:di + 4], 0
  add di, 8
  add eax, 1 << 21
  loop .page
  mov es, cx
  lgdt [descriptors]
  mov eax, cr4
  or al, 1 << 5                         ; PAE
  mov cr4, eax
  mov eax, PAGE_TABLES
  mov cr3, eax
  mov ecx, 0xC0000080                   ; EFER.LME
  rdmsr
  or ah, 1
  wrmsr
  mov eax, cr0
  or eax, 1 << 31 | 1                   ; PG, PE
  mov cr0, eax
  jmp CODE:long_mode

configuration:
  mov dx, 0xCF8
  out dx, eax
  mov dx, 0xCFC
  ret

base: dd 0
  align 8
descriptors: dw 5 * 8 - 1
  dd table
  align 8
table:
  dq 0
  dq 0x00209B0000000000
  dq 0x00CF93000000FFFF
  dq 0x00CFF3000000FFFF
  dq 0x0020FB0000000000

  bits 64
long_mode:
  mov eax, DATA
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov esp, 0x7C00
  cld
  call card_init
  ; Who has this address: networks learn it by asking.
  mov esi, announcement
  mov edx, 60
  mov ecx, 1
  call card_send
  ; The other end may begin.
  TELL "S"
%ifdef IDLE
  ; The card is ready, the link is there, and nobody has anything to say.
.sleep:
  hlt
  jmp .sleep
%endif
  push USER_DATA
  push 0x7C00
  push 0x3002                           ; IOPL 3
  push USER_CODE
  push user
  iretq
user:
%ifdef RECEIVE
  ; What comes first starts the watch.
  call receive_window
  TELL "W"
  START_WATCH
  mov ebp, COUNT / WINDOW
.next:
  call receive_window
%else
  TELL "W"
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
guest_end:

section reset start=0xFF00 vstart=0xFF00
  bits 16
copy:
  mov ax, 0xF000
  mov ds, ax
  xor ax, ax
  mov es, ax
  xor si, si
  mov di, start
  mov cx, guest_end - start
  cld
  rep movsb
  jmp 0:start
  times 0xF0 - ($ - copy) db 0
  jmp 0xF000:copy
  times 0x100 - ($ - copy) db 0
