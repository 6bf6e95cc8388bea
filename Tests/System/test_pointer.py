# SPDX-License-Identifier: GPL-2.0-or-later
"""The PS/2 mouse, through a VNC client, SeaBIOS and a boot sector."""

import re
import time


# Each runs on both engines.
BOTH_ENGINES = True


def packets(guest):
    """Status, X and Y of each packet so far; up is positive."""
    found = []
    for line in re.findall(r"^([0-9a-f]{6})$", guest.text(), re.M):
        status, x, y = bytes.fromhex(line)
        found.append((status & 7, x - (0x100 if status & 0x10 else 0), y - (0x100 if status & 0x20 else 0)))
    return found


def wait_until(condition, guest, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition(packets(guest)):
        assert time.monotonic() < deadline, guest.text()
        time.sleep(0.1)


def test_movements_and_clicks_reach_the_guest(start, assemble):
    guest = start(assemble("boot-sectors/mouse.asm", size=1 << 20), "-m", "64")
    guest.wait_for("ready")
    client = guest.vnc()
    client.mouseMove(100, 100)
    time.sleep(1)
    seen = len(packets(guest))
    # More than a packet can tell, to the right and up.
    client.mouseMove(500, 90)
    wait_until(lambda all: sum(x for _, x, _ in all[seen:]) == 400, guest)
    assert sum(y for _, _, y in packets(guest)[seen:]) == 10
    for vnc_button, bit in (1, 1), (3, 2):
        seen = len(packets(guest))
        client.mousePress(vnc_button)
        wait_until(lambda all: len(all) >= seen + 2, guest)
        assert packets(guest)[seen:] == [(bit, 0, 0), (0, 0, 0)]
    client.disconnect()
