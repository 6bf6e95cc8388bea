# SPDX-License-Identifier: GPL-2.0-or-later
"""The devices as a client of QEMU's test protocol finds them: no CPU runs, time is stepped."""

import struct
import subprocess

import pytest

from conftest import MARTLET
from qtest_client import Machine


@pytest.fixture
def machine(tmp_path):
    machines = []

    def start(*arguments, **options):
        machines.append(Machine(tmp_path, *arguments, **options))
        return machines[-1]

    yield start
    for machine in machines:
        assert machine.end() == 0, machine.errors.read_text()


def cmos(machine, index):
    machine.outb(0x70, index)
    return machine.inb(0x71)


def test_time_stands_still_unless_it_is_stepped(machine):
    guest = machine("-rtc", "base=2026-03-14T15:09:26,clock=vm")
    assert guest.ask("endianness") == "little"
    for _ in range(3):
        assert [cmos(guest, index) for index in (4, 2, 0)] == [0x15, 0x09, 0x26]
    assert guest.step(3_000_000_000) == 3_000_000_000
    assert [cmos(guest, index) for index in (4, 2, 0)] == [0x15, 0x09, 0x29]
    assert int(guest.ask("clock_set", 34_000_000_000)) == 34_000_000_000
    assert [cmos(guest, index) for index in (4, 2, 0)] == [0x15, 0x10, 0x00]


def test_the_alarm_interrupts(machine):
    guest = machine("-rtc", "base=2026-03-14T15:09:26,clock=vm")
    guest.ask("irq_intercept_in", "ioapic")
    for index, value in ((1, 0x28), (3, 0xC0), (5, 0xC0)):
        guest.outb(0x70, index)
        guest.outb(0x71, value)
    guest.outb(0x70, 0x0B)
    guest.outb(0x71, 0x22)
    assert not guest.irq(8)
    assert guest.step() <= 2_000_000_000
    assert guest.irq(8)
    assert cmos(guest, 0x0C) & 0xA0 == 0xA0
    assert not guest.irq(8)


def test_the_interval_timer_counts_and_interrupts(machine):
    guest = machine()
    guest.ask("irq_intercept_in", "ioapic")
    guest.outb(0x43, 0x34)
    guest.outb(0x40, 0xFF)
    guest.outb(0x40, 0xFF)
    guest.outb(0x43, 0)
    first = guest.inb(0x40) | guest.inb(0x40) << 8
    guest.step(1_000_000)
    guest.outb(0x43, 0)
    second = guest.inb(0x40) | guest.inb(0x40) << 8
    assert 1192 <= first - second <= 1194
    # Mode 0: OUT rises at the end of the count.
    guest.outb(0x43, 0x30)
    guest.outb(0x40, 0xE8)
    guest.outb(0x40, 0x03)
    assert not guest.irq(0)
    guest.step(1_000_000)
    assert guest.irq(0)


def test_the_disk_identifies_itself_and_is_read(machine, tmp_path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"".join(bytes([sector]) * 512 for sector in range(64)))
    guest = machine("-drive", f"file={disk},format=raw", "-global", "ide-hd.serial=abc")
    guest.ask("irq_intercept_in", "ioapic")
    guest.outb(0x1F6, 0xA0)
    guest.outb(0x1F7, 0xEC)
    assert guest.inb(0x3F6) & 0x89 == 0x08
    assert guest.irq(14)
    words = struct.pack("<256H", *(guest.inw(0x1F0) for _ in range(256)))
    assert struct.unpack_from("<I", words, 120)[0] == 64
    serial = b"".join(bytes([words[i + 1], words[i]]) for i in range(20, 40, 2))
    assert serial.strip() == b"abc"
    assert guest.inb(0x1F7) & 0x89 == 0
    assert not guest.irq(14)

    # READ DMA of sectors 5 and 6 to 0x20000.
    def configuration(offset, value=None):
        guest.outl(0xCF8, 0x80000900 | offset)
        if value is None:
            return guest.inl(0xCFC)
        guest.outl(0xCFC, value)

    configuration(0x20, 0xC000)
    configuration(0x04, 0x5)
    guest.write(0x1000, struct.pack("<II", 0x20000, 0x80000400))
    guest.outl(0xC004, 0x1000)
    for port, value in ((0x1F6, 0xE0), (0x1F2, 2), (0x1F3, 5), (0x1F4, 0), (0x1F5, 0), (0x1F7, 0xC8), (0xC000, 9)):
        guest.outb(port, value)
    while guest.inb(0xC002) & 5 == 1:
        pass
    assert guest.irq(14)
    assert guest.inb(0x1F7) & 0x89 == 0
    assert guest.read(0x20000, 1024) == bytes([5]) * 512 + bytes([6]) * 512


def test_memory_is_as_a_processor_sees_it(machine):
    guest = machine("-m", "64")
    assert guest.read(0xFFFFFFF0, 1) == b"\xea"
    assert guest.read(0xFFFF0, 16) == guest.read(0xFFFFFFF0, 16)
    guest.write(0xFFFF0, bytes(16))
    assert guest.read(0xFFFF0, 1) == b"\xea"
    guest.ask("memset", 0x3FFFF00, 0x100, 0x5A)
    assert guest.read(0x3FFFF00, 0x101) == b"\x5a" * 0x100 + b"\xff"
    assert guest.readl(0xFEE00030) & 0xFF == 0x14
    guest.ask("writel", 0xFEC00000, 1)
    assert guest.readl(0xFEC00010) & 0xFF0000 == 0x170000


def test_the_first_engine_that_works_is_taken(machine):
    guest = machine(accelerator="soft:qtest")
    answer = subprocess.run(
        [MARTLET, "-accel", "nothing", "-qtest", "stdio"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert answer.returncode == 2 and "qtest" in answer.stderr
    # The guest runs, and its time with it.
    guest.process.stdin.write(b"clock_step 1\n")
    guest.process.stdin.flush()
    assert guest.process.stdout.readline() == b"FAIL Unknown command 'clock_step'\n"


def test_nonsense_is_answered(machine):
    guest = machine()
    for line in (b"", b"outb", b"read 0 0xffffffffffffffff", b"\xff\xfe", b"write 0 4 0xno", b"inb 0x10000"):
        guest.process.stdin.write(line + b"\n")
        guest.process.stdin.flush()
        assert guest.process.stdout.readline().startswith(b"FAIL")
    assert guest.ask("endianness") == "little"
