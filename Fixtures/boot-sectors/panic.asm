; SPDX-License-Identifier: GPL-2.0-or-later
; Reports a crash as a kernel does: looks at what pvpanic at port 0x505 understands, tells that a crash kernel takes
; over, then that it has panicked, and says so again for each key that comes.
%include "common.inc"
PROLOGUE
  mov dx, 0x505
  in al, dx
  and al, 3
  add al, '0'
  mov [events], al
  SAY understood
  mov dx, 0x505
  mov al, 2
  out dx, al
panic:
  mov dx, 0x505
  mov al, 1
  out dx, al
  SAY alive
  xor ax, ax
  int 0x16
  jmp panic
understood: db "events "
events: db "?", 10, 0
alive: db "alive", 10, 0
EPILOGUE
