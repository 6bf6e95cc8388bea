# SPDX-License-Identifier: GPL-2.0-or-later
"""The human monitor, used as a person does: lines typed, answers read, the guest looked at from outside."""

import os
import pty
import re
import subprocess
import threading
import time

import pytest
import screen_text
from PIL import Image

# Each runs on both engines.
BOTH_ENGINES = True

PROMPT = "(qemu) "


class Monitor:
    """A monitor on the guest's standard input and output, or on a terminal."""

    def __init__(self, guest, descriptor_in=None, descriptor_out=None):
        self.guest = guest
        self.output = b""
        self.position = 0
        self.descriptor_in = guest.process.stdin.fileno() if descriptor_in is None else descriptor_in
        self.descriptor_out = guest.process.stdout.fileno() if descriptor_out is None else descriptor_out
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while data := os.read(self.descriptor_out, 65536):
                self.output += data
        except OSError:
            # A terminal whose other side has gone.
            pass

    def text(self):
        return self.output.decode()[self.position :]

    def expect(self, pattern, timeout=60):
        """Waits for a pattern behind what was expected last, and returns what came before it."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.text(), re.S)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text()!r}"
            assert self.reader.is_alive() or re.search(pattern, self.text(), re.S), self.text()
            time.sleep(0.02)
        before = self.text()[: found.start()]
        self.position += found.end()
        return before

    def type(self, text):
        os.write(self.descriptor_in, text.encode())

    def do(self, line):
        """Types a line and returns the answer, without its echo."""
        self.type(line + "\n")
        # A terminal adds a carriage return of its own.
        answer = re.sub(r"\r+\n", "\n", self.expect(re.escape(PROMPT)))
        echo, _, answer = answer.partition("\n")
        assert echo == line
        return answer


@pytest.fixture
def monitor(start):
    """Starts a guest with a monitor at its standard input and output."""

    def begin(*arguments, **options):
        guest = start("-m", "64", "-monitor", "stdio", *arguments, stdin=subprocess.PIPE, **options)
        monitor = Monitor(guest)
        assert "Martlet" in monitor.expect(re.escape(PROMPT))
        return guest, monitor

    return begin


def picture(monitor, path):
    """The screen as the monitor writes it."""
    assert monitor.do(f"screendump {path} -f png") == ""
    return Image.open(path)


def wait_for_screen(monitor, path, pattern, timeout=60):
    deadline = time.monotonic() + timeout
    while True:
        text = "\n".join(screen_text.read(picture(monitor, path)))
        if re.search(pattern, text, re.M):
            return text
        assert time.monotonic() < deadline, f"no {pattern!r} on the screen:\n{text}"
        time.sleep(0.2)


def test_the_boot_menu_is_operated_by_sendkey(monitor, assemble, tmp_path):
    hello = assemble("boot-sectors/keyboard.asm", size=1 << 20)
    empty = tmp_path / "empty.img"
    empty.write_bytes(bytes(1 << 20))
    guest, monitor = monitor("-hda", empty, "-hdb", hello, "-boot", "menu=on,splash-time=60000")
    guest.wait_for("Press ESC for boot menu", guest.seabios)
    monitor.do("sendkey esc")
    screen = wait_for_screen(monitor, tmp_path / "menu.png", r"^\d\. ata0-1")
    choice = re.search(r"^(\d)\. ata0-1", screen, re.M)[1]
    monitor.do(f"sendkey {choice}")
    guest.wait_for("ready")
    monitor.do("sendkey shift-h")
    guest.wait_for("2348")
    wait_for_screen(monitor, tmp_path / "typed.png", r"H$")
    # The same screen in the other format; the cursor no longer blinks.
    monitor.do("stop")
    assert monitor.do(f"screendump {tmp_path / 'screen.ppm'}") == ""
    same = picture(monitor, tmp_path / "screen.png")
    assert Image.open(tmp_path / "screen.ppm").convert("RGB").tobytes() == same.convert("RGB").tobytes()
    monitor.type("quit\n")
    assert guest.wait() == 0


def test_a_running_guest_is_looked_at_stopped_and_continued(monitor, assemble):
    guest, monitor = monitor(assemble("boot-sectors/keyboard.asm", size=1 << 20))
    guest.wait_for("ready")
    assert monitor.do("info status") == "VM status: running\n"
    registers = monitor.do("info registers")
    assert re.search(r"^EIP=[0-9a-f]{8} EFL=[0-9a-f]{8} \[[-DOSZAPC]{7}\] CPL=0", registers, re.M), registers
    assert re.search(r"^CS =[0-9a-f]{4} ", registers, re.M), registers
    assert monitor.do("stop") == ""
    assert monitor.do("info status") == "VM status: paused\n"
    # What it has loaded: the jump of its boot sector, and its signature.
    assert monitor.do("xp /5xb 0x7c00").startswith("0000000000007c00: 0xea 0x05 0x7c 0x00 0x00\n")
    assert monitor.do("xp /1xh 0x7c00+510") == "0000000000007dfe: 0xaa55\n"
    assert re.fullmatch(r"0x[0-9a-f]+\n", monitor.do("p /x $eip & 0xffff | 0x10000"))
    assert monitor.do("cont") == ""
    monitor.do("sendkey a")
    guest.wait_for("1e61")
    assert monitor.do("system_reset") == ""
    guest.wait_for(r"ready\n(.*\n)*ready")
    monitor.type("q\n")
    assert guest.wait() == 0


def test_a_guest_sees_discs_come_and_go(monitor, assemble, tmp_path):
    discs = {}
    for name in ["AAAA", "BBBB"]:
        discs[name] = tmp_path / f"{name}.iso"
        discs[name].write_bytes(name.encode() * 16384)
    guest, monitor = monitor(
        assemble("boot-sectors/watch-cd.asm", size=1 << 20), "-cdrom", discs["AAAA"], "-boot", "c")
    guest.wait_for("AAAA")
    assert f"ide1-cd0 (#ide1-cd0): {discs['AAAA']} (raw, read-only)" in monitor.do("info block")
    assert monitor.do("eject ide1-cd0") == ""
    guest.wait_for("AAAA\nnone")
    assert "tray open" in monitor.do("info block")
    assert monitor.do(f"change ide1-cd0 {discs['BBBB']}") == ""
    guest.wait_for("AAAA\nnone\nBBBB")
    assert monitor.do(f"change ide1-cd0 {discs['AAAA']}") == ""
    guest.wait_for("BBBB\n(none\n)?AAAA")
    assert monitor.do("change ide1-cd0 /nonexistent").startswith("Error: ")
    assert re.search(r"rd_bytes=[1-9]", monitor.do("info blockstats"))
    monitor.type("quit\n")
    assert guest.wait() == 0


def test_memory_is_saved(monitor, assemble, tmp_path):
    guest, monitor = monitor(assemble("boot-sectors/keyboard.asm", size=1 << 20))
    guest.wait_for("ready")
    assert monitor.do(f'pmemsave 0x7c00 512 "{tmp_path}/sector"') == ""
    assert (tmp_path / "sector").read_bytes()[510:] == b"\x55\xaa"
    assert monitor.do(f"dump-guest-memory {tmp_path}/core") == ""
    headers = subprocess.run(["readelf", "-l", tmp_path / "core"], capture_output=True, text=True).stdout
    assert "CORE" in headers and "LOAD" in headers, headers
    monitor.type("quit\n")
    assert guest.wait() == 0


def test_a_terminal_has_editing_completion_and_history(start):
    ours, theirs = pty.openpty()
    guest = start("-m", "64", "-monitor", "stdio", "-S", stdin=theirs, stdout=theirs)
    os.close(theirs)
    monitor = Monitor(guest, ours, ours)
    monitor.expect(re.escape(PROMPT))
    monitor.type("inf\tstatux\x7fs\r")
    assert "VM status: paused" in monitor.expect(re.escape(PROMPT))
    # The line before, changed in its middle.
    monitor.type("\x1b[A\x1b[H\x1b[C\x1b[C\x1b[C\x1b[C\x0b name\r")
    monitor.expect(re.escape(PROMPT))
    monitor.type("\x1b[A\r")
    assert monitor.expect(re.escape(PROMPT)).startswith("info name")
    monitor.type("system_\t")
    assert "system_reset" in monitor.expect(re.escape(PROMPT) + "system_")
    monitor.type("\x15quit\r")
    assert guest.wait() == 0
    os.close(ours)


def test_ctrl_a_c_goes_between_the_serial_line_and_the_monitor(start, assemble):
    """mon:stdio on a terminal: the guest's line first, the monitor after Ctrl-A c, and back."""
    image = assemble("boot-sectors/serial.asm", size=1 << 20)
    ours, theirs = pty.openpty()
    guest = start("-m", "16", image, "-nographic", stdin=theirs, stdout=theirs, seabios_log=False, vnc=False)
    os.close(theirs)
    terminal = Monitor(guest, ours, ours)
    terminal.expect("ready")
    terminal.type("\x01c")
    terminal.expect(re.escape(PROMPT))
    assert "VM status: running" in terminal.do("info status")
    # What is typed is for the monitor, not for the guest.
    assert terminal.do("info name").strip() == ""
    terminal.type("\x01h")
    terminal.expect("C-a c")
    terminal.type("\x01c")
    terminal.type("hello")
    terminal.expect("HELLO")
    terminal.type("\x01x")
    assert guest.wait(20) == 0
    os.close(ours)
