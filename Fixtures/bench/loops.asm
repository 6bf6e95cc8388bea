; SPDX-License-Identifier: GPL-2.0-or-later
; Loops of one kind of instruction each, in 64-bit mode: how fast an engine in software executes. A
; byte on port 0xE9 before each loop, and one after the last, lets the host time them. Ends by the debug exit, or Bochs's port
; 0x8900.
;
; COUNT: rounds of each loop, 16 instructions a round.

%ifndef COUNT
%define COUNT 1000000
%endif

  bits 16
  org 0x7C00
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7C00
  cld
  ; The rest of the program.
  mov ax, 0x0200 + (end - more + 511) / 512
  mov bx, more
  mov cx, 2
  mov dh, 0
  int 0x13
  jc $
  mov ax, 0x2401
  int 0x15
  cli
  ; Page tables at 0x10000: 1 GiB of 2 MiB pages.
  mov ax, 0x1000
  mov es, ax
  xor di, di
  xor eax, eax
  mov ecx, 3 * 1024
  rep stosd
  mov dword [es:0], 0x11003
  mov dword [es:0x1000], 0x12003
  mov di, 0x2000
  mov eax, 0x83
  mov cx, 512
.page:
  mov [es:di], eax
  add eax, 0x200000
  add di, 8
  loop .page
  lgdt [table]
  mov eax, cr4
  or eax, 0x620                         ; PAE, OSFXSR, OSXMMEXCPT
  mov cr4, eax
  mov eax, 0x10000
  mov cr3, eax
  mov ecx, 0xC0000080
  rdmsr
  or ax, 0x100                          ; LME
  wrmsr
  mov eax, cr0
  and eax, 0x9FFFFFFB                   ; caches on, no emulation
  or eax, 0x80000023                    ; PG, NE, MP, PE
  mov cr0, eax
  jmp 8:more

table:
  dw gdt_end - gdt - 1
  dd gdt
  align 8
gdt:
  dq 0, 0x00209A0000000000, 0x0000920000000000
gdt_end:
  times 510 - ($ - $$) db 0
  dw 0xAA55

  bits 64
more:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  ; Apart from the code: stores to a page with code are another thing.
  mov esp, 0x90000
  fninit



  ; Integer.
  mov al, 1
  out 0xE9, al
  mov ecx, COUNT
  mov ebx, 3
.integer:
  add rax, rbx
  xor rdx, rax
  lea rsi, [rax + rdx * 2 + 5]
  sub rdi, rsi
  and r8, rax
  or r9, rdx
  shl r10, 3
  add r11, r10
  imul r12, rbx
  mov r13, r12
  neg r13
  adc r14, r13
  cmp rax, rdx
  sete r15b
  dec ecx
  jnz .integer

  ; Loads.
  mov al, 2
  out 0xE9, al
  mov ecx, COUNT
  mov esi, 0x200000
.loads:
  mov rax, [rsi]
  mov rbx, [rsi + 8]
  mov rdx, [rsi + 16]
  mov rdi, [rsi + 24]
  mov r8, [rsi + 32]
  mov r9, [rsi + 4096]
  mov r10, [rsi + 4104]
  mov r11d, [rsi + 48]
  mov r12d, [rsi + 56]
  mov r13d, [rsi + 64]
  movzx r14d, byte [rsi + 72]
  movzx r15d, word [rsi + 80]
  mov rax, [rsi + 88]
  mov rbx, [rsi + 96]
  dec ecx
  jnz .loads

  ; Stores.
  mov al, 3
  out 0xE9, al
  mov ecx, COUNT
.stores:
  mov [rsi], rax
  mov [rsi + 8], rbx
  mov [rsi + 16], rdx
  mov [rsi + 24], rdi
  mov [rsi + 32], r8
  mov [rsi + 4096], r9
  mov [rsi + 4104], r10
  mov [rsi + 48], r11d
  mov [rsi + 56], r12d
  mov [rsi + 64], r13d
  mov [rsi + 72], r14b
  mov [rsi + 80], r15w
  mov [rsi + 88], rax
  mov [rsi + 96], rbx
  dec ecx
  jnz .stores

  ; Branches: calls, returns, conditions taken and not.
  mov al, 4
  out 0xE9, al
  mov ecx, COUNT
.branches:
  call .function
  test ecx, 1
  jz .even
  inc eax
.even:
  cmp eax, ebx
  ja .above
  jmp .below
.above:
  inc ebx
.below:
  call .function
  test ecx, 3
  jnz .odd
  inc edx
.odd:
  dec ecx
  jnz .branches
  jmp .x87
.function:
  ret

.x87:
  mov al, 5
  out 0xE9, al
  mov ecx, COUNT / 4
  ; Exceptions masked and full precision, as compilers and systems have it: after a reset they are not.
  fninit
  fldpi
  fld1
.floats:
  fadd st0, st1
  fmul st0, st1
  fld st0
  fsub st0, st2
  fabs
  fxch st1
  fdiv st0, st1
  fstp st1
  fadd st0, st1
  fsqrt
  fld1
  faddp st1, st0
  fmul st0, st1
  fsqrt
  dec ecx
  jnz .floats

  mov al, 6
  out 0xE9, al
  mov ecx, COUNT / 4
  movapd xmm0, [numbers]
  movapd xmm1, [numbers]
.vectors:
  addpd xmm0, xmm1
  mulpd xmm0, xmm1
  movapd xmm2, xmm0
  subpd xmm2, xmm1
  divpd xmm0, xmm2
  sqrtpd xmm0, xmm0
  paddd xmm3, xmm4
  pxor xmm4, xmm3
  pshufd xmm5, xmm4, 0x1B
  pmaddwd xmm5, xmm3
  addsd xmm0, xmm1
  mulsd xmm0, xmm1
  movdqa [rsi], xmm5
  movdqa xmm6, [rsi]
  dec ecx
  jnz .vectors

  mov al, 7
  out 0xE9, al
  mov dx, 0x501
  out dx, al
  mov esi, shutdown
  mov ecx, 8
  mov dx, 0x8900
  rep outsb
  hlt

shutdown:
  db "Shutdown"
  align 16
numbers:
  dq 1.5, 2.25
end:
  times 4096 - ($ - $$) db 0
