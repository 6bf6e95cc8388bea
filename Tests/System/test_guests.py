# SPDX-License-Identifier: GPL-2.0-or-later
"""Unmodified systems on the engine in Swift, started as a user starts them, judged by screen and serial port."""

import re

import pytest
from guests import ACCEL, IPXE, MEMTEST, PATIENCE, Screen, Shell, installer, needs_engine

pytestmark = needs_engine


@pytest.fixture
def boot(start):
    """Starts a guest; its screens are closed before it ends."""
    screens = []

    def boot(*arguments, screen=True, **options):
        guest = start("-accel", ACCEL, *arguments, seabios_log=False, **options)
        if screen:
            guest.screen = Screen(guest)
            screens.append(guest.screen)
        return guest

    yield boot
    for screen in screens:
        screen.close()


def test_isolinux_shows_its_menu_and_follows_keys(boot, isolinux_cd):
    guest = boot("-cdrom", isolinux_cd, "-boot", "d", "-m", "64")
    guest.screen.wait_for(r"ISOLINUX on a Martlet machine")
    for entry in ["The memory map", "The processor", "memtest86\\+", "iPXE", "Restart"]:
        guest.screen.wait_for(rf"¤ {entry} +¤")
    guest.screen.press("down", "enter")
    # The registers of CPUID's leaf 1: EDX says at least FPU, TSC, MSR, PAE and CMPXCHG8B.
    edx = guest.screen.wait_for(r"^edx : +\d+ 0x([0-9a-f]{8})")[1]
    assert int(edx, 16) & 0x171 == 0x171


def test_ipxe_gives_its_prompt(boot):
    guest = boot("-kernel", IPXE, "-m", "64")
    guest.screen.wait_for(r"^iPXE 1\..*Open Source Network Boot Firmware")
    guest.screen.wait_until(lambda: guest.screen.press("ctrl-b") or "iPXE>" in guest.screen.text(), "no prompt")
    guest.screen.press(*"config", "enter")
    guest.screen.wait_for(r"iPXE configuration settings")
    guest.screen.wait_for(r"^ +smbios/")


@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_memtest_finds_no_error(boot, cpus):
    guest = boot("-kernel", MEMTEST, "-append", "console=ttyS0,115200", "-m", "24", "-smp", cpus, serial=True)
    guest.screen.wait_for(r"CPU: 1 Cores 1 Threads" if cpus == 1 else rf"CPU: {cpus}S / {cpus}C / {cpus}T")
    # Behind the tests of addresses and of moving and random patterns; what follows waits for bits to fade.
    guest.screen.wait_for(r"Test #10")
    assert re.search(r"Errors: 0$", guest.screen.text(), re.M), guest.screen.text()
    if cpus > 1:
        assert re.search(rf"SMP: {cpus}T", guest.screen.text()), guest.screen.text()
    assert "Memtest86+" in guest.serial.text()


# Choosing a language is the first thing the installer asks for when it has memory enough.
LANGUAGES = r"Select a language"


@pytest.mark.parametrize("architecture", ["amd64", pytest.param("i386", marks=pytest.mark.slow)])
def test_debian_installer_asks_for_a_language_on_the_serial_port(boot, architecture):
    guest = boot(
        *installer(architecture, "text"), "-append", "console=ttyS0,115200", "-m", "1024", serial=True, screen=False
    )
    guest.serial.expect(r"Linux version 6\.1", PATIENCE)
    guest.serial.expect(LANGUAGES, PATIENCE)
    guest.serial.expect(r"English", PATIENCE)


@pytest.mark.slow
def test_debian_installer_asks_for_a_language_on_the_text_screen(boot):
    guest = boot(*installer("amd64", "text"), "-append", "nomodeset", "-m", "1024")
    guest.screen.wait_for(LANGUAGES)
    guest.screen.wait_for(r"English")


@pytest.mark.slow
def test_graphical_debian_installer_draws_its_languages(boot):
    guest = boot(*installer("amd64", "gtk"), "-append", "vga=788", "-m", "1536")

    def is_drawn():
        picture = guest.screen.picture().convert("RGB")
        if picture.width < 800:
            return False
        # Debian's banner has thousands of colours; below it stands a list, not only the grey of the window.
        banner = picture.crop((0, 0, picture.width, 70)).getcolors(1 << 20)
        below = picture.crop((0, 80, picture.width, picture.height))
        ground = max(count for count, _ in below.getcolors(1 << 20))
        return len(banner) > 1000 and ground < 0.9 * below.width * below.height

    guest.screen.wait_until(is_drawn, "no graphical installer")


def test_debian_on_a_disk(boot, debian_disk, grub_cd):
    guest = boot(debian_disk, "-snapshot", "-cdrom", grub_cd, "-boot", "c", "-m", "512", serial=True)
    guest.screen.wait_for(r"Debian on Martlet")
    shell = Shell(guest)
    shell.log_in()
    assert "running" in shell.run("systemctl is-system-running --wait")
    assert shell.run("nproc").strip() == "1"

    # The disk, by DMA.
    assert "DMA" in shell.run("cat /sys/class/ata_device/dev1.0/xfer_mode")
    shell.run("dd if=/dev/urandom of=/root/random bs=1M count=8 2>/dev/null && cd /root && sha256sum random > sum")
    shell.run("sync && echo 3 > /proc/sys/vm/drop_caches")
    assert "random: OK" in shell.run("sha256sum -c sum")

    shell.run("mount -o ro /dev/sr0 /media/cdrom")
    assert shell.run("cat /media/cdrom/hello.txt").strip() == "Hello from the CD."
    shell.run("umount /media/cdrom")

    # What was written is there after a restart, and the file system was left in order.
    shell.serial.send("reboot\r")
    shell.log_in()
    assert "random: OK" in shell.run("cd /root && sha256sum -c sum")
    assert "recovery" not in shell.run("dmesg | grep EXT4-fs")
    shell.serial.send("poweroff\r")
    assert guest.wait(PATIENCE) == 0


@pytest.mark.slow
def test_debian_on_two_processors(boot, debian_disk):
    guest = boot(debian_disk, "-snapshot", "-smp", "2", "-m", "512", serial=True, screen=False)
    shell = Shell(guest)
    shell.log_in()
    assert shell.run("nproc").strip() == "2"
    # A load for each, told to stay where it is, that computes the same sum.
    sums = "head -c 20000000 /dev/zero | sha256sum"
    load = f"(taskset -c 0 sh -c '{sums}' & taskset -c 1 sh -c '{sums}' & wait)"
    assert len(set(shell.run(load).split())) == 2
    shell.run("stress-ng --cpu 2 --switch 2 --fork 2 --vm 1 --vm-bytes 32M --verify --timeout 20 >/dev/null 2>&1")
    times = [re.search(rf"^cpu{cpu} (\d+) ", shell.run("cat /proc/stat"), re.M)[1] for cpu in (0, 1)]
    assert all(int(time) > 100 for time in times), times
    shell.serial.send("poweroff\r")
    assert guest.wait(PATIENCE) == 0
