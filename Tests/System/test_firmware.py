# SPDX-License-Identifier: GPL-2.0-or-later
"""SeaBIOS on the built binary: what it finds, and what it starts."""

import os
import re

from conftest import needs_kvm

pytestmark = needs_kvm


def make_disk(path, megabytes):
    with open(path, "wb") as image:
        image.truncate(megabytes << 20)
    return path


def test_seabios_finds_disks_and_cd_and_reaches_its_boot_attempt(start, tmp_path, grub_cd):
    first = make_disk(tmp_path / "first.img", 10)
    second = make_disk(tmp_path / "second.img", 20)
    guest = start("-hda", first, "-hdb", second, "-cdrom", grub_cd, "-m", "64", "-boot", "c")
    guest.wait_for(r"Booting from Hard Disk", guest.seabios)
    log = guest.text(guest.seabios)
    assert re.search(r"ata0-0: .*\(10240 KiBytes\)|ata0-0: .*\(10 MiBytes\)", log), log
    assert re.search(r"ata0-1: .*\(20480 KiBytes\)|ata0-1: .*\(20 MiBytes\)", log), log
    assert re.search(r"DVD/CD \[ata1-0: ", log), log
    assert "Found 1 cpu(s)" in log
    assert guest.terminate() == 0


def test_four_cpus(start, tmp_path):
    guest = start("-smp", "4", "-m", "64")
    guest.wait_for(r"Found 4 cpu\(s\)", guest.seabios)
    assert guest.terminate() == 0


def test_a_boot_sector_writes_a_sector(start, assemble):
    disk = assemble("boot-sectors/write-sector.asm", size=1 << 20)
    guest = start(disk, "-m", "64", "-device", "isa-debug-exit")
    assert guest.wait() == 8 * 2 + 1, guest.text()
    assert guest.text() == "written\n"
    data = disk.read_bytes()
    expected = b"".join(((0x1234 + 0x101 * i) & 0xFFFF).to_bytes(2, "little") for i in range(256))
    assert data[5 * 512 : 6 * 512] == expected
    assert data[6 * 512 :] == bytes(len(data) - 6 * 512)


def test_snapshot_leaves_the_image_alone(start, assemble):
    disk = assemble("boot-sectors/write-sector.asm", size=1 << 20)
    before = disk.read_bytes()
    guest = start(disk, "-m", "64", "-device", "isa-debug-exit", "-snapshot")
    assert guest.wait() == 8 * 2 + 1, guest.text()
    assert disk.read_bytes() == before


def test_soft_off_ends_with_status_0(start, assemble):
    guest = start(assemble("boot-sectors/soft-off.asm", size=1 << 20), "-m", "64")
    assert guest.wait() == 0
    assert guest.text() == "switching off\n"


def test_a_triple_fault_resets(start, assemble):
    guest = start(assemble("boot-sectors/triple-fault.asm", size=1 << 20), "-m", "64")
    guest.wait_for(r"about to triple fault\n[^$]*about to triple fault")
    assert guest.terminate() == 0


def test_no_reboot_ends_instead(start, assemble):
    guest = start(assemble("boot-sectors/triple-fault.asm", size=1 << 20), "-m", "64", "-no-reboot")
    assert guest.wait() == 0
    assert guest.text() == "about to triple fault\n"


def test_nothing_is_left_behind(start, assemble, tmp_path):
    guest = start(assemble("boot-sectors/keyboard.asm", size=1 << 20), "-m", "64")
    guest.wait_for("ready")
    assert guest.vnc_path.exists()
    assert guest.terminate() == 0
    assert not guest.vnc_path.exists()
    assert not os.path.exists(f"/proc/{guest.process.pid}")
