# SPDX-License-Identifier: GPL-2.0-or-later
"""SeaBIOS on the built binary: what it finds, and what it starts."""

import os
import re
import signal
import subprocess


# Each runs on both engines.
BOTH_ENGINES = True


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


def test_no_shutdown_pauses_instead(start, assemble):
    guest = start(assemble("boot-sectors/soft-off.asm", size=1 << 20), "-m", "64", "-no-shutdown")
    guest.wait_for("switched off", guest.errors)
    # Nothing but a reset brings it back.
    os.kill(guest.process.pid, signal.SIGCONT)
    guest.wait_for("switched off[^$]*switched off", guest.errors)
    assert guest.process.poll() is None
    assert guest.text() == "switching off\n"
    assert guest.terminate() == 0


def test_boot_once_holds_until_the_first_reset(start, assemble, tmp_path):
    disk = assemble("boot-sectors/which-drive.asm", size=1 << 20)
    directory = tmp_path / "cd"
    directory.mkdir()
    (directory / "boot.img").write_bytes(disk.read_bytes()[:2048])
    cd = tmp_path / "cd.iso"
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4", "-o",
         str(cd), str(directory)],
        check=True, capture_output=True,
    )
    guest = start(disk, "-cdrom", cd, "-m", "64", "-boot", "order=c,once=d")
    guest.wait_for(r"drive 80 order \w{4}\n")
    first, second = guest.text().splitlines()
    # The CD, then the disk; CMOS memory says the same: 3 is a CD, 2 a disk.
    assert re.fullmatch(r"drive [9e]\w order 03\w\w", first)
    assert re.fullmatch(r"drive 80 order 02\w\w", second)


def test_files_for_the_guest(start, assemble, tmp_path):
    data = tmp_path / "data"
    data.write_bytes(b"from a file\n" * 3)
    guest = start(
        assemble("boot-sectors/fw-cfg.asm", size=1 << 20), "-m", "64", "-device", "isa-debug-exit",
        "-fw_cfg", "name=opt/test/text,string=a,, b", "-fw_cfg", f"opt/test/data,file={data}",
    )
    assert guest.wait() == 8 * 2 + 1, guest.text()
    assert guest.text() == f"opt/test/data={data.read_text()}\nopt/test/text=a, b\n"


def test_nothing_is_left_behind(start, assemble, tmp_path):
    guest = start(assemble("boot-sectors/keyboard.asm", size=1 << 20), "-m", "64")
    guest.wait_for("ready")
    assert guest.vnc_path.exists()
    assert guest.terminate() == 0
    assert not guest.vnc_path.exists()
    assert not os.path.exists(f"/proc/{guest.process.pid}")
