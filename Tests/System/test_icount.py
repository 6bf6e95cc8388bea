# SPDX-License-Identifier: GPL-2.0-or-later
"""Time that follows the instructions executed: two runs do the same at the same moments."""

import re


def test_two_runs_give_the_same_trace(start, assemble, tmp_path):
    image = assemble("boot-sectors/write-sector.asm", size=1 << 20)
    traces = []
    for run in range(2):
        trace = tmp_path / f"trace{run}.txt"
        guest = start(
            "-icount", "shift=3", "-rtc", "base=2026-01-01", "-m", "64", "-snapshot", "-hda", image,
            "-device", "isa-debug-exit,iobase=0x501", "-trace", "io", "-trace", "int", "-trace", "ide", "-D", trace,
            vnc=False, seabios_log=False)
        guest.wait(120)
        # The names of its own sockets and files are the run's.
        traces.append(trace.read_text())
    # Among them what the guest reads of the timers, and how often it looks before the disk is ready.
    assert len(re.findall(r"^io: in ", traces[0], re.M)) > 500
    assert re.search("^ide: ", traces[0], re.M)
    assert traces[0] == traces[1]


def test_only_the_soft_engine_counts(start):
    guest = start("-icount", "shift=3", "-accel", "kvm", vnc=False, seabios_log=False)
    assert guest.wait(20) == 2
    assert "soft" in guest.text(guest.errors)
