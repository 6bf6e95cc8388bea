; SPDX-License-Identifier: GPL-2.0-or-later
;
; Option ROM that starts a Multiboot kernel handed over in fw_cfg (Multiboot Specification 0.6.96). Kernel, modules
; and boot information are ready-made; this puts them in their place, adds what only the BIOS knows (the memory
; map and sizes), and enters the kernel in 32-bit protected mode.

%define PRODUCT "Multiboot kernel"
%include "direct-boot.inc"

MULTIBOOT_MAGIC     equ 0x2BADB002

; Offsets in the boot information (section 3.3).
INFO_MEM_LOWER      equ 4
INFO_MEM_UPPER      equ 8
INFO_MMAP_LENGTH    equ 44
INFO_MMAP_ADDR      equ 48

; An entry of the map: its size without this field, and what INT 15h gives.
MMAP_ENTRY_SIZE     equ 20
MMAP_STEP           equ MMAP_ENTRY_SIZE + 4
MMAP_LIMIT          equ 48 * MMAP_STEP

SMAP                equ 0x534D4150

CODE32              equ 0x08
DATA32              equ 0x10

start:
    load FW_CFG_KERNEL_ADDR, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA
    load FW_CFG_INITRD_ADDR, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA

    ; The boot information lies below 1 MiB, on a multiple of 16: DS.
    mov ax, FW_CFG_INITRD_ADDR
    call read_number
    mov ebp, eax
    shr eax, 4
    mov ds, ax

    ; The memory map goes where the boot information says.
    mov eax, [INFO_MMAP_ADDR]
    shr eax, 4
    mov es, ax
    xor di, di
    xor ebx, ebx
.next_range:
    mov dword [es:di], MMAP_ENTRY_SIZE
    add di, 4
    mov eax, 0xE820
    mov edx, SMAP
    mov ecx, MMAP_ENTRY_SIZE
    int 0x15
    jc .end_of_map
    cmp eax, SMAP
    jne .end_of_map
    add di, MMAP_ENTRY_SIZE
    test ebx, ebx
    jz .whole_map
    cmp di, MMAP_LIMIT
    jb .next_range
    jmp .whole_map
.end_of_map:
    sub di, 4
.whole_map:
    movzx eax, di
    mov [INFO_MMAP_LENGTH], eax

    ; KiB of memory from 0, and from 1 MiB to the first hole.
    int 0x12
    movzx eax, ax
    mov [INFO_MEM_LOWER], eax
    mov ax, 0xE801
    xor bx, bx
    xor cx, cx
    xor dx, dx
    int 0x15
    jc .no_sizes
    movzx eax, ax
    movzx ebx, bx
    shl ebx, 6
    add eax, ebx
    mov [INFO_MEM_UPPER], eax
.no_sizes:

    mov ax, FW_CFG_KERNEL_ENTRY
    call read_number
    mov esi, eax
    mov ebx, ebp

    cli
    ; A20 is open already after SeaBIOS; with others it may not be.
    in al, 0x92
    or al, 2
    and al, 0xFE
    out 0x92, al
    xor eax, eax
    mov ax, cs
    shl eax, 4
    lea ecx, [eax + gdt]
    mov word [ss:VALUE], gdt_end - gdt - 1
    mov [ss:VALUE + 2], ecx
    add eax, protected
    mov [ss:FAR_POINTER], eax
    mov word [ss:FAR_POINTER + 4], CODE32
    o32 lgdt [ss:VALUE]
    mov eax, cr0
    and eax, 0x1FFFFFFF                 ; caches on, no paging
    or al, 1
    mov cr0, eax
    jmp far dword [ss:FAR_POINTER]

; Flat segments; accessed already, so that no descriptor in ROM is written to.
align 8, db 0
gdt:
    dq 0
    dq 0x00CF9B000000FFFF
    dq 0x00CF93000000FFFF
gdt_end:

bits 32
protected:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov ecx, esi
    mov eax, MULTIBOOT_MAGIC
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    jmp ecx

end_of_rom
