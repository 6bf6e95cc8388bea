# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture of each mode, beside QEMU's of the same guest."""

import socket
import subprocess
import time

import pytest
from conftest import needs_kvm

MODES = ["0003", "0004", "0006", "000D", "0010", "0012", "0013", "00F0", "0101", "0110", "0111",
         "0112", "0142"]


class QEMU:
    """The same guest in QEMU, looked at through its monitor."""

    def __init__(self, directory, image):
        self.console = directory / "qemu-console.txt"
        path = directory / "monitor.sock"
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-display", "none", "-net", "none",
             "-drive", f"file={image},format=raw,snapshot=on", "-debugcon", f"file:{self.console}",
             "-monitor", f"unix:{path},server=on,wait=off"],
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.connect(str(path))
        self.monitor.settimeout(20)
        self.answer()

    def answer(self):
        text = b""
        while not text.endswith(b"(qemu) "):
            text += self.monitor.recv(4096)

    def command(self, line):
        self.monitor.sendall(line.encode() + b"\n")
        self.answer()

    def wait_for(self, text, timeout=60):
        deadline = time.monotonic() + timeout
        while not self.console.exists() or text not in self.console.read_text():
            assert time.monotonic() < deadline, f"no {text!r} from QEMU"
            time.sleep(0.02)

    def close(self):
        self.process.kill()
        self.process.wait()


def differing(ours, theirs):
    """How many pixels differ by more than rounding."""
    from PIL import ImageChops

    difference = ImageChops.difference(ours.convert("RGB"), theirs.convert("RGB"))
    red, green, blue = difference.split()
    worst = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    # Six bits a colour become eight by shifting or by repeating the high bits; 15 and 16 likewise.
    return sum(1 for value in worst.tobytes() if value > 7)


@needs_kvm
@pytest.mark.slow
def test_every_mode_looks_as_in_qemu(start, assemble, tmp_path):
    from PIL import Image

    image = assemble("boot-sectors/vga-modes.asm", size=1 << 20)
    qemu = QEMU(tmp_path, image)
    guest = start(image, "-m", "64")
    client = guest.vnc()
    results = {}
    try:
        for mode in MODES:
            qemu.wait_for(f"mode {mode}\n")
            guest.wait_for(f"mode {mode}$")
            theirs = tmp_path / f"{mode}-qemu.ppm"
            ours = tmp_path / f"{mode}.png"
            qemu.command(f"screendump {theirs}")
            # A moment for the picture to be drawn and sent.
            time.sleep(0.5)
            client.captureScreen(str(ours))
            pictures = Image.open(ours), Image.open(theirs)
            sizes = [picture.size for picture in pictures]
            results[mode] = differing(*pictures) if sizes[0] == sizes[1] else sizes
            qemu.command("sendkey ret")
            client.keyPress("enter")
        guest.wait_for("done")
    finally:
        qemu.close()
        client.disconnect()
    assert results == {mode: 0 for mode in MODES}, f"see {tmp_path}"
