# SPDX-License-Identifier: GPL-2.0-or-later
"""The serial port on the terminal, on a pseudo-terminal and without a screen."""

import os
import pty
import select
import signal
import subprocess
import termios
import time


# Each runs on both engines.
BOTH_ENGINES = True


def read_until(descriptor, text, timeout=120):
    """Reads until the text has come; returns all that came."""
    deadline = time.monotonic() + timeout
    received = b""
    while text not in received:
        ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no {text!r} in {received!r}"
        more = os.read(descriptor, 4096)
        assert more, f"ended after {received!r}"
        received += more
    return received


def test_stdio(start, assemble):
    guest = start(
        assemble("boot-sectors/serial.asm", size=1 << 20), "-m", "64", "-serial", "stdio", stdin=subprocess.PIPE)
    output = guest.process.stdout.fileno()
    assert read_until(output, b"ready\r\n").endswith(b"ready\r\n")
    guest.process.stdin.write(b"hello, guest\n")
    guest.process.stdin.flush()
    assert read_until(output, b"\n") == b"HELLO, GUEST\n"
    # The end of the input is not the end of the guest.
    guest.process.stdin.close()
    time.sleep(0.3)
    assert guest.process.poll() is None
    assert guest.terminate() == 0


def test_more_than_the_port_holds_at_once(start, assemble):
    guest = start(
        assemble("boot-sectors/serial.asm", size=1 << 20), "-m", "64", "-serial", "stdio", stdin=subprocess.PIPE)
    output = guest.process.stdout.fileno()
    read_until(output, b"ready\r\n")
    text = b"".join(b"line %d\n" % number for number in range(300))
    guest.process.stdin.write(text + b"!")
    guest.process.stdin.flush()
    assert read_until(output, b"!") == text.upper() + b"!"


def test_pty(start, assemble):
    guest = start(assemble("boot-sectors/serial.asm", size=1 << 20), "-m", "64", "-serial", "pty", "-S")
    path = guest.wait_for(r"com1 is on (/dev/pts/\d+)", guest.errors).group(1)
    for _ in range(2):
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
        if _ == 0:
            os.kill(guest.process.pid, signal.SIGCONT)
            read_until(terminal, b"ready")
        os.write(terminal, b"pty\n")
        assert b"PTY\n" in read_until(terminal, b"PTY\n")
        # Whoever reads may go and come again.
        os.close(terminal)
        time.sleep(0.2)
    assert guest.terminate() == 0


def start_on_a_terminal(start, *arguments):
    """A guest on a terminal of its own; returns it, our side of the terminal, and the terminal's settings."""
    ours, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    guest = start(*arguments, vnc=None, stdin=terminal, stdout=terminal)
    return guest, ours, terminal, before


def test_nographic_is_the_serial_port_on_the_terminal(start, assemble):
    disk = assemble("boot-sectors/serial.asm", size=1 << 20)
    guest, ours, terminal, before = start_on_a_terminal(start, disk, "-m", "64", "-nographic")
    read_until(ours, b"ready")
    assert termios.tcgetattr(terminal)[3] & (termios.ECHO | termios.ICANON) == 0
    os.write(ours, b"a\x03b")
    # Ctrl-C is the guest's.
    assert b"A\x03B" in read_until(ours, b"B")
    # Ctrl-A twice is one for the guest; Ctrl-A x is the end.
    os.write(ours, b"\x01\x01z")
    assert b"\x01Z" in read_until(ours, b"Z")
    os.write(ours, b"\x01x")
    assert guest.wait(20) == 0
    assert termios.tcgetattr(terminal) == before
    assert "VNC" not in guest.text(guest.errors)
    os.close(ours)
    os.close(terminal)


def test_ctrl_c_ends_a_guest_with_its_serial_port_on_the_terminal(start, assemble):
    disk = assemble("boot-sectors/serial.asm", size=1 << 20)
    guest, ours, terminal, before = start_on_a_terminal(start, disk, "-m", "64", "-serial", "stdio", "-vnc", "none")
    read_until(ours, b"ready")
    # Not the guest's controlling terminal: what the line discipline would send is sent by hand.
    assert termios.tcgetattr(terminal)[3] & termios.ISIG
    guest.process.send_signal(signal.SIGINT)
    assert guest.wait(20) == 0
    assert termios.tcgetattr(terminal) == before
    os.close(ours)
    os.close(terminal)


def test_a_file_holds_what_the_guest_sent(start, assemble, tmp_path):
    path = tmp_path / "serial.txt"
    guest = start(assemble("boot-sectors/serial.asm", size=1 << 20), "-m", "64", "-serial", f"file:{path}")
    guest.wait_for("ready", path)
    assert guest.terminate() == 0
    assert path.read_bytes().endswith(b"ready\r\n")
