; SPDX-License-Identifier: GPL-2.0-or-later
;
; Option ROM that starts a Linux kernel handed over in fw_cfg (Linux, Documentation/arch/x86/boot.rst). Set-up
; header, command line and addresses are ready-made; this only puts everything in its place.

%define PRODUCT "Linux kernel"
%include "direct-boot.inc"

start:
    load FW_CFG_SETUP_ADDR, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA
    load FW_CFG_CMDLINE_ADDR, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA
    load FW_CFG_KERNEL_ADDR, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA
    load FW_CFG_INITRD_ADDR, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA

    ; All segments are the set-up code's, the stack ends below the command line, and the entry is 512 bytes in.
    mov ax, FW_CFG_SETUP_ADDR
    call read_number
    mov ebx, eax
    mov ax, FW_CFG_CMDLINE_ADDR
    call read_number
    sub eax, ebx
    sub eax, 16
    shr ebx, 4
    lea ecx, [ebx + 0x20]
    mov word [ss:FAR_POINTER], 0
    mov [ss:FAR_POINTER + 2], cx
    cli
    xor cx, cx
    mov ds, cx
    mov es, bx
    mov fs, bx
    mov gs, bx
    mov ss, bx
    mov sp, ax
    push bx
    push word [FAR_POINTER + 2]
    push word [FAR_POINTER]
    mov ds, bx
    xor eax, eax
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    retf

end_of_rom
