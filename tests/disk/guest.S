# SPDX-License-Identifier: MIT
# A guest in one sector: it boots from a floppy disk and writes to the first hard disk through the
# BIOS, as several writers at a time do, so that QEMU's own allocator ages the image. In turns: the
# next 64 KiB of a file at the begin of the disk, 4 KiB at a random place of the first 2 GiB, the next
# 16 KiB of a file at 1 GiB. Then it ends QEMU through isa-debug-exit, with status 33; 35: a write failed.

        .code16
        .globl  _start

        .set    ROUNDS, 200
        .set    BUFFER, 0x1000          # a segment; whatever is there

_start: cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7c00, %sp
        sti

round:  movw    $128, sectors
        movl    first, %eax
        addl    $128, first
        call    write

        movl    seed, %eax              # a linear congruential generator
        imull   $1664525, %eax, %eax
        addl    $1013904223, %eax
        movl    %eax, seed
        shrl    $10, %eax               # 22 bits of sectors: 2 GiB
        andb    $0xf8, %al
        movw    $8, sectors
        call    write

        movw    $32, sectors
        movl    second, %eax
        addl    $32, second
        call    write

        decw    rounds
        jnz     round
        movb    $16, %al
        jmp     leave

write:  movl    %eax, sector
        movw    $packet, %si
        movb    $0x80, %dl              # the first hard disk
        movw    $0x4300, %ax            # extended write
        int     $0x13
        jc      failed
        ret

failed: movb    $17, %al
leave:  movw    $0x501, %dx
        outb    %al, %dx
        hlt

rounds: .word   ROUNDS
seed:   .long   1
first:  .long   0
second: .long   2097152

        .balign 4
packet: .byte   16, 0
sectors: .word  0
        .word   0, BUFFER
sector: .long   0, 0

        .org    510
        .word   0xaa55
