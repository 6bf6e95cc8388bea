; SPDX-License-Identifier: GPL-2.0-or-later
;
; A file in the format of a Linux bzImage (Linux, Documentation/arch/x86/boot.rst, protocol 2.12) that only says
; what the boot loader gave it, on port 0xE9: the command line, the first bytes of the protected-mode part (which
; it must read above 1 MiB, by INT 15h AH=87h), of the initial RAM disk, and that the BIOS is still there. Ends
; through isa-debug-exit at port 0x501 with the value 0x10.

bits 16
cpu 486
org 0

SETUP_SECTORS equ 3

boot_sector:
    times 0x1F1 - ($ - boot_sector) db 0
    db SETUP_SECTORS                    ; setup_sects
    dw 0                                ; root_flags
    dd (kernel_end - kernel + 15) / 16  ; syssize
    dw 0                                ; ram_size
    dw 0xFFFF                           ; vid_mode
    dw 0                                ; root_dev
    dw 0xAA55                           ; boot_flag

; The set-up code's entry, 512 bytes in.
    jmp short setup
header:
    db "HdrS"
    dw 0x020C                           ; version
    dd 0                                ; realmode_swtch
    dw 0                                ; start_sys_seg
    dw 0                                ; kernel_version
type_of_loader: db 0
loadflags: db 1                         ; LOADED_HIGH
    dw 0                                ; setup_move_size
    dd 0x100000                         ; code32_start
ramdisk_image: dd 0
ramdisk_size: dd 0
    dd 0                                ; bootsect_kludge
heap_end_ptr: dw 0
    db 0                                ; ext_loader_ver
    db 0                                ; ext_loader_type
cmd_line_ptr: dd 0
initrd_addr_max: dd 0x7FFFFFFF
    dd 0x1000000                        ; kernel_alignment
    db 0                                ; relocatable_kernel
    db 0                                ; min_alignment
    dw 0                                ; xloadflags
cmdline_size: dd 255

setup:
    ; DS is the set-up code's segment, as everything here assumes.
    mov si, text_command_line
    call say
    mov eax, [cmd_line_ptr]
    mov edx, eax
    shr eax, 4
    and edx, 15
    push ds
    mov ds, ax
    mov si, dx
    call say
    pop ds
    mov si, text_kernel
    call say
    mov eax, 0x100000
    call say_16_bytes_at
    mov si, text_initrd
    call say
    mov eax, [ramdisk_size]
    test eax, eax
    jz .no_initrd
    mov eax, [ramdisk_image]
    call say_16_bytes_at
.no_initrd:
    mov si, text_bios
    call say
    int 0x12
    cmp ax, 600
    mov si, text_no
    jb .said
    mov si, text_yes
.said:
    call say
    mov dx, 0x501
    mov al, 0x10
    out dx, al
    hlt
    jmp $ - 1

; Writes the text at DS:SI, which ends with 0, to port 0xE9.
say:
    lodsb
    test al, al
    jz .done
    out 0xE9, al
    jmp say
.done:
    ret

; Copies 16 bytes from physical address EAX down here with the BIOS's help and says them, up to a 0.
say_16_bytes_at:
    mov [source_base], ax
    shr eax, 16
    mov [source_base + 2], al
    mov [source_base + 5], ah
    xor eax, eax
    mov ax, ds
    shl eax, 4
    add eax, buffer
    mov [target_base], ax
    shr eax, 16
    mov [target_base + 2], al
    mov ax, ds
    mov es, ax
    mov si, descriptors
    mov cx, 8
    mov ah, 0x87
    int 0x15
    mov si, buffer
    jmp say

align 8, db 0
descriptors:
    times 16 db 0
    dw 0xFFFF
source_base: db 0, 0, 0
    db 0x93
    dw 0
    dw 0xFFFF
target_base: db 0, 0, 0
    db 0x93
    dw 0
    times 16 db 0

buffer: times 17 db 0
text_command_line: db "command line: ", 0
text_kernel: db 10, "kernel: ", 0
text_initrd: db 10, "initrd: ", 0
text_bios: db 10, "BIOS: ", 0
text_yes: db "there", 10, 0
text_no: db "gone", 10, 0

    times (SETUP_SECTORS + 1) * 512 - ($ - boot_sector) db 0

kernel: db "above 1 MiB", 0
    times 64 - ($ - kernel) db 0
kernel_end:
