# SPDX-License-Identifier: GPL-2.0-or-later
"""The IDE controller as a driver in a guest uses it."""


# Each runs on both engines.
BOTH_ENGINES = True


def pattern():
    """The words the guest writes."""
    word = 0xA5C3
    for _ in range(2048):
        yield word.to_bytes(2, "little")
        word = (word * 25173 + 13849) & 0xFFFF


def test_bus_master_dma_writes_and_reads_with_interrupts(start, assemble):
    disk = assemble("boot-sectors/ide-dma-check.asm", size=1 << 20)
    guest = start(disk, "-m", "64", "-device", "isa-debug-exit")
    assert guest.wait() == 8 * 2 + 1, guest.text()
    assert guest.text() == "dma is right\n"
    data = disk.read_bytes()
    assert data[8 * 512 : 16 * 512] == b"".join(pattern())
    assert data[16 * 512 :] == bytes(len(data) - 16 * 512)
