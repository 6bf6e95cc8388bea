#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The soft engine beside QEMU's TCG and Bochs, in one run on the same guests: medians and ratios."""

import argparse
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MARTLET = os.environ.get("MARTLET", str(ROOT / ".build/release/martlet"))
CACHE = pathlib.Path(os.environ.get("CACHE", pathlib.Path.home() / ".cache/martlet"))
INSTALLER = pathlib.Path("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")
COUNT = 4_000_000
# By the byte the guest sends before the loop; the last two run a quarter of the rounds.
LOOPS = {1: "integer", 2: "loads", 3: "stores", 4: "branches", 5: "x87", 6: "SSE2"}
END = 7

BOCHS = """
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
megs: 64
cpu: count=1, ips=100000000, reset_on_triple_fault=0
port_e9_hack: enabled=1
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
ata0-master: type=disk, path={image}, mode=flat
boot: disk
log: {directory}/bochs.log
panic: action=fatal
"""


def commands(directory, image):
    common = ["-m", "64", "-drive", f"file={image},format=raw,if=ide", "-debugcon", "stdio", "-display", "none",
              "-device", "isa-debug-exit,iobase=0x501", "-nic", "none"]
    configuration = pathlib.Path(directory, "bochsrc")
    configuration.write_text(BOCHS.format(image=image, directory=directory))
    return {
        "martlet": [MARTLET, "-accel", "soft", *common],
        "tcg": ["qemu-system-x86_64", "-accel", "tcg", *common],
        "bochs": ["bochs", "-q", "-f", str(configuration)],
    }


def marks(command):
    """Seconds from each mark on the debug port to the next, and from the start to the first."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.PIPE,
                               start_new_session=True)
    # Debian's Bochs starts in its debugger: continue.
    process.stdin.write(b"c\n")
    process.stdin.flush()
    last, times = ("start", time.perf_counter()), {}
    try:
        while byte := os.read(process.stdout.fileno(), 1):
            if byte[0] <= END:
                now = time.perf_counter()
                times[last[0]] = now - last[1]
                last = (byte[0], now)
                if byte[0] == END:
                    break
    finally:
        # Bochs has a thread for its screen that keeps it: its whole session ends.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
    return times


def loops(rounds, directory):
    image = os.path.join(directory, "loops.img")
    subprocess.run(["nasm", "-f", "bin", f"-DCOUNT={COUNT}", "-o", image, str(HERE / "loops.asm")], check=True)
    os.truncate(image, 1024 * 16 * 63 * 512)
    values = {}
    peers = commands(directory, image)
    for _ in range(rounds):
        for peer, command in peers.items():
            for mark, seconds in marks(command).items():
                if mark in LOOPS:
                    count = COUNT * 16 / (4 if mark >= 5 else 1)
                    values.setdefault(mark, {}).setdefault(peer, []).append(count / seconds / 1e6)
                else:
                    values.setdefault("start", {}).setdefault(peer, []).append(seconds)
    print(f"{'million instructions a second':40}{'martlet':>10}{'tcg':>10}{'bochs':>10}{'/ tcg':>8}{'/ bochs':>8}")
    for mark, name in LOOPS.items():
        row(f"{name} loop", values[mark])
    print("seconds")
    row("start to the boot sector", values["start"])


def row(name, values):
    medians = {peer: statistics.median(values[peer]) if values.get(peer) else 0 for peer in ("martlet", "tcg", "bochs")}
    text = "".join(f"{medians[peer]:10.2f}" if medians[peer] else f"{'-':>10}" for peer in medians)
    ratios = "".join(f"{medians['martlet'] / medians[peer]:8.2f}" if medians[peer] else "" for peer in ("tcg", "bochs"))
    print(f"{name:40}{text}{ratios}", flush=True)


def until(command, path, words, timeout=900):
    """Seconds until the serial port has said one of some words."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - begin < timeout:
            if path.exists() and any(word in path.read_bytes() for word in words):
                return time.perf_counter() - begin
            time.sleep(0.1)
        raise SystemExit(f"{command[0]}: {words} did not come")
    finally:
        process.kill()
        process.wait()


def systems(directory):
    serial = pathlib.Path(directory, "serial.txt")
    guests = {
        "Debian's installer to its menu": (
            ["-m", "1024", "-kernel", str(INSTALLER / "linux"), "-initrd", str(INSTALLER / "initrd.gz"), "-append",
             "console=ttyS0"], [b"language"]),
        "Debian's disk to its login": (
            ["-m", "512", "-snapshot", "-hda", str(CACHE / "debian-disk.img")], [b"login:"]),
    }
    for name, (arguments, words) in guests.items():
        values = {}
        for peer, command in {"martlet": [MARTLET, "-accel", "soft"], "tcg": ["qemu-system-x86_64", "-accel", "tcg"]}.items():
            serial.unlink(missing_ok=True)
            options = ["-display", "none", "-nic", "none", "-serial", f"file:{serial}"]
            values[peer] = [until([*command, *options, *arguments], serial, words)]
        row(name, values)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", action=argparse.BooleanOptionalAction, default=True,
                        help="also whole operating systems, which take minutes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        loops(options.rounds, directory)
        if options.systems:
            systems(directory)


if __name__ == "__main__":
    main()
