# SPDX-License-Identifier: GPL-2.0-or-later
"""Real guests: where they come from, their screens as text, and a login at their serial port.

They run on the engine that ACCEL names ("soft"). Every option here is QEMU's too, so that

    MARTLET=/usr/bin/qemu-system-x86_64 ACCEL=tcg python -m pytest Tests/System/test_guests.py

tells whether a test asks for more than a PC does.
"""

import os
import pathlib
import re
import subprocess
import time

import pytest
import screen_text
from conftest import MARTLET
from PIL import Image

ACCEL = os.environ.get("ACCEL", "soft")

needs_engine = pytest.mark.skipif(
    ACCEL not in subprocess.run([MARTLET, "-accel", "help"], capture_output=True, text=True).stdout.split(),
    reason=f"{MARTLET.name} has no -accel {ACCEL}",
)

INSTALLER = pathlib.Path("/usr/lib/debian-installer/images/12")
MEMTEST = "/boot/memtest86+x64.bin"
IPXE = "/usr/lib/ipxe/ipxe.lkrn"

# Interpreters on busy machines: this is to notice a guest that stands still, not a slow one.
PATIENCE = float(os.environ.get("PATIENCE", 900))


def installer(architecture, kind):
    """The options that start a Debian installer's kernel and initrd."""
    folder = INSTALLER / architecture / kind / "debian-installer" / architecture
    return ["-kernel", folder / "linux", "-initrd", folder / "initrd.gz"]


class Screen:
    """The guest's screen through VNC."""

    def __init__(self, guest):
        self.guest = guest
        self.client = guest.vnc()
        self.path = guest.directory / "screen.png"

    def picture(self):
        self.client.captureScreen(str(self.path))
        return Image.open(self.path)

    def text(self):
        return "\n".join(screen_text.read(self.picture()))

    def wait_for(self, pattern, timeout=PATIENCE):
        """Waits until the text on the screen matches, and returns the match."""
        return self.wait_until(lambda: re.search(pattern, self.text(), re.M), f"no {pattern!r}", timeout)

    def wait_until(self, condition, complaint, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            if self.guest.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(
                    f"{complaint} on the screen; exit status {self.guest.process.poll()}\n"
                    f"--- {self.path}\n{self.text()}\n--- stderr\n{self.guest.text(self.guest.errors)[-3000:]}"
                )
            time.sleep(0.5)
        return found

    def press(self, *keys):
        for key in keys:
            self.client.keyPress(key)
            time.sleep(0.1)

    def type_line(self, line):
        """Types a line on an American keyboard."""
        shifted = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./"))
        for character in line:
            if character in shifted or character.isupper():
                self.client.keyDown("shift")
                self.client.keyPress(character)
                self.client.keyUp("shift")
            else:
                self.client.keyPress({" ": "space"}.get(character, character))
            time.sleep(0.05)
        self.press("enter")

    def close(self):
        # The client waits long for an answer of a server that has gone.
        if self.guest.process.poll() is None:
            self.client.disconnect()


class Shell:
    """A root shell of the Debian disk, at the guest's serial port."""

    def __init__(self, guest):
        self.serial = guest.serial

    def log_in(self):
        self.serial.expect(r"martlet login: ", PATIENCE)
        self.serial.send("root\r")
        self.serial.expect(r"Password: ", PATIENCE)
        self.serial.send("martlet\r")
        self.serial.expect(r"root@martlet:~# ", PATIENCE)
        # No echo and no prompt: what comes is what programs write. The kernel's lines go to the log only.
        self.serial.send("stty -echo; PS1=; dmesg -n 1; echo re''ady\r")
        self.serial.expect(r"^ready\n", PATIENCE)

    def run(self, command, status=0):
        """Runs a command and returns what it wrote."""
        self.serial.send(f"{command}; echo \"[status $?]\"\r")
        found = self.serial.expect(r"(?s)(.*?)\[status (\d+)\]\n", PATIENCE)
        assert int(found[2]) == status, f"{command}: {found[1]}"
        return found[1]
