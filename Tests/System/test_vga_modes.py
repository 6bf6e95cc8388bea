# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture of each mode, beside QEMU's of the same guest."""

import socket
import subprocess
import time


MODES = ["0001", "0003", "0004", "0006", "000D", "0010", "0012", "0013", "00F0", "0101", "0110", "0111",
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


def without_ninth_dots(picture):
    """A picture of 40 columns as QEMU draws it, which has no characters of twice nine dots and uses twice eight."""
    from PIL import Image

    narrow = Image.new("RGB", (640, picture.height))
    for column in range(40):
        narrow.paste(picture.crop((column * 18, 0, column * 18 + 16, picture.height)), (column * 16, 0))
    return narrow


def test_every_mode_looks_as_in_qemu(start, assemble, tmp_path):
    from PIL import Image

    source = "boot-sectors/vga-modes.asm"
    guest = start(assemble(source, size=1 << 20), "-m", "64")
    # Each holds a lock on its image.
    qemu = QEMU(tmp_path, assemble(source, size=1 << 20, name="qemu.img"))
    results = {}
    try:
        for mode in MODES:
            qemu.wait_for(f"mode {mode}\n")
            guest.wait_for(f"mode {mode}$")
            theirs = tmp_path / f"{mode}-qemu.ppm"
            ours = tmp_path / f"{mode}.png"
            qemu.command(f"screendump {theirs}")
            expected = Image.open(theirs)
            size = (720, 400) if mode == "0001" else expected.size
            # vncdotool asks for a screen of the size it met first: again, if that was the last mode's.
            for _ in range(10):
                client = guest.vnc()
                client.captureScreen(str(ours))
                if (client.protocol.width, client.protocol.height) == size:
                    break
                client.disconnect()
            picture = Image.open(ours)
            assert picture.size == size, f"mode {mode}: see {tmp_path}"
            results[mode] = differing(without_ninth_dots(picture) if mode == "0001" else picture, expected)
            qemu.command("sendkey ret")
            client.keyPress("enter")
            client.disconnect()
        guest.wait_for("done")
    finally:
        qemu.close()
    assert results == {mode: 0 for mode in MODES}, f"see {tmp_path}"
