# A guest in one sector: it says that it runs, counts seconds, and answers the power button.
#
# SeaBIOS loads these 512 bytes to 0x7c00 from the first disk, whatever it hangs on (virtio, SATA, IDE, SCSI), and
# jumps to them in 16-bit real mode. There is no second stage. What it does:
#
#   1. writes "hvsdk guest <label> up" to COM1 and to the first row of the screen;
#   2. sleeps with hlt; the BIOS timer wakes it 18.2 times a second;
#   3. every 18 wakes adds one to a counter in RAM and writes "<label> boot <time>" and "<label> tick <counter>" to COM1,
#      where the time is when it booted, in timer interrupts since midnight: another boot has another one;
#   4. at every wake looks whether the ACPI power button was pressed, and if so enters S5 (off).
#
# Steps 3 and 4 need no driver: the counter lives in RAM, so it goes on after a resume and starts anew after a boot;
# the power button is one bit in a register of the south bridge, whose port number is read from PCI configuration.

        .intel_syntax noprefix
        .code16
        .text
        .globl  _start

        .set    COM1, 0x3f8
        .set    TICKS_PER_SECOND, 18            # 18.2 in truth; nobody sets a watch by it
        .set    BIOS_TICKS, 0x46c               # the BIOS counts timer interrupts here
        .set    PCI_ADDRESS, 0xcf8
        .set    PCI_DATA, 0xcfc
        .set    PIIX4_PM, 0x71138086            # device and vendor: power management of machine type pc
        .set    ICH9_LPC, 0x29188086            # the same of machine type q35
        .set    PM_BASE, 0x40                   # configuration register with the port of the ACPI block, on both
        .set    PM1_STS, 0                      # offsets in that block
        .set    PM1_EN, 2
        .set    PM1_CNT, 4
        .set    PWRBTN, 1 << 8                  # the power button's bit in PM1_STS and PM1_EN
        .set    SLP_EN, 1 << 13                 # with SLP_TYP 0, which QEMU's tables name for S5

# ---- header, filled in by make_disk ---------------------------------------------------------------------------------

_start: jmp     short start
        .org    2
magic:  .ascii  "HVSDKBT1"
        .org    10
flags:  .byte   0                               # bit 0: ignore the power button
        .org    11
label:  .fill   33, 1, 0                        # at most 32 characters and a zero

# ---- start ----------------------------------------------------------------------------------------------------------

        .org    44
start:  cli
        cld
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0x7c00
        ljmp    0, offset serial_setup          # some BIOSes enter at 07c0:0000

serial_setup:                                   # 115200 8N1, no interrupts
        mov     si, offset uart
        mov     cx, 6
1:      lodsb
        mov     dl, al
        mov     dh, COM1 >> 8
        lodsb
        out     dx, al
        loop    1b

screen_setup:
        mov     ax, 3                           # 80 x 25 text, cleared
        int     0x10

# PCI: find the south bridge on bus 0. ebx is the address of a function's first register.

        mov     ebx, 0x80000000
find:   mov     al, 0
        call    pci_read
        cmp     eax, PIIX4_PM
        je      found
        cmp     eax, ICH9_LPC
        je      found
        add     bx, 0x100
        jnc     find                            # 256 functions, then the bus is done
        jmp     announce                        # an unknown machine: no power button (pm_base stays 0)

found:  mov     al, PM_BASE
        call    pci_read
        and     ax, 0xffc0                      # bit 0 says "a port"
        mov     [pm_base], ax
        test    byte ptr [flags], 1
        jnz     announce                        # not enabled, so QEMU never even sets the status bit
        in      al, 0xa1
        or      al, 2                           # mask IRQ 9: we look at the bit, we want no interrupt
        out     0xa1, al
        mov     dx, [pm_base]
        mov     ax, PWRBTN
        out     dx, ax                          # writing one clears the status
        add     dx, PM1_EN - PM1_STS
        out     dx, ax

announce:
        mov     eax, [BIOS_TICKS]
        mov     [last], ax
        mov     [booted], eax
        sti
        mov     byte ptr [to_screen], 1
        mov     si, offset hello
        call    print
        mov     si, offset label
        call    print
        mov     si, offset up
        call    print
        mov     byte ptr [to_screen], 0

# ---- the loop -------------------------------------------------------------------------------------------------------

wait:   hlt
        mov     dx, [pm_base]
        test    dx, dx
        jz      clock
        in      ax, dx
        test    ax, PWRBTN
        jz      clock
        test    byte ptr [flags], 1
        jnz     clock
        mov     si, offset label
        call    print
        mov     si, offset off
        call    print
        mov     dx, [pm_base]
        add     dx, PM1_CNT
        mov     ax, SLP_EN
        out     dx, ax

clock:  mov     ax, [BIOS_TICKS]
        mov     dx, ax
        sub     dx, [last]
        cmp     dx, TICKS_PER_SECOND
        jb      wait
        mov     [last], ax
        inc     dword ptr [counter]
        mov     si, offset boot
        mov     eax, [booted]
        call    print_line
        mov     si, offset tick
        mov     eax, [counter]
        call    print_line
        jmp     wait

# ---- routines -------------------------------------------------------------------------------------------------------

pci_read:                                       # eax = register al of the function in ebx
        mov     bl, al
        mov     eax, ebx
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dl, PCI_DATA & 0xff
        in      eax, dx
        mov     bl, 0
        ret

print_line:                                     # the label, the string at si, eax in decimal, and the end of the line
        push    eax
        push    si
        mov     si, offset label
        call    print
        pop     si
        call    print
        pop     eax
        call    print_number
        mov     si, offset newline
        jmp     print

print_number:                                   # eax in decimal: the last digit is found first and printed last
        xor     edx, edx
        mov     ecx, 10
        div     ecx
        push    dx
        test    eax, eax
        jz      1f
        call    print_number
1:      pop     ax
        add     al, '0'
        jmp     put

1:      call    put
print:  lodsb                                   # the zero-ended string at si; enter here
        test    al, al
        jnz     1b
        ret

put:    push    ax                              # al to COM1, and to the screen when that is on
        mov     dx, COM1 + 5
1:      in      al, dx
        test    al, 0x20                        # room in the transmitter; an absent port reads 0xff
        jz      1b
        pop     ax
        mov     dl, COM1 & 0xff
        out     dx, al
        cmp     byte ptr [to_screen], 0
        je      1f
        mov     ah, 0x0e
        mov     bx, 7
        int     0x10
1:      ret

# ---- data -----------------------------------------------------------------------------------------------------------

uart:   .byte   (COM1 + 1) & 0xff, 0x00           # interrupts off
        .byte   (COM1 + 3) & 0xff, 0x80           # divisor: 1 is 115200 baud
        .byte   (COM1 + 0) & 0xff, 0x01
        .byte   (COM1 + 1) & 0xff, 0x00
        .byte   (COM1 + 3) & 0xff, 0x03           # 8N1
        .byte   (COM1 + 2) & 0xff, 0x07           # FIFO on, emptied

hello:  .asciz  "hvsdk guest "
up:     .asciz  " up\r\n"
off:    .asciz  " off\r\n"
boot:   .asciz  " boot "
tick:   .asciz  " tick "
newline: .asciz "\r\n"

to_screen: .byte 0
last:   .word   0
pm_base: .word  0
counter: .long  0
booted: .long   0

        .org    510
        .word   0xaa55
