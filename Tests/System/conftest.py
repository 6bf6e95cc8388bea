# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the whole share: guests started as a user starts them, and looked at from outside."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARTLET = pathlib.Path(os.environ.get("MARTLET", ROOT / ".build/release/martlet"))
CACHE = pathlib.Path(os.environ.get("CACHE", pathlib.Path.home() / ".cache/martlet"))

needs_kvm = pytest.mark.skipif(
    not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="no access to /dev/kvm on this host"
)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a minute; run with --slow")


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


class Guest:
    """A running martlet, its debug console in a file and its VNC server on a Unix socket."""

    def __init__(self, directory, *arguments, vnc=True, seabios_log=True):
        self.directory = directory
        self.console = directory / "console.txt"
        self.seabios = directory / "seabios.txt"
        self.vnc_path = directory / "vnc.sock"
        self.errors = directory / "stderr.txt"
        command = [str(MARTLET), *map(str, arguments)]
        command += ["-debugcon", f"file:{self.console}"]
        if seabios_log:
            command += ["-chardev", f"file,id=bios,path={self.seabios}"]
            command += ["-device", "isa-debugcon,iobase=0x402,chardev=bios"]
        command += ["-vnc", f"unix:{self.vnc_path}" if vnc else "none"]
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )

    def text(self, path=None):
        path = path or self.console
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for(self, pattern, path=None, timeout=120):
        """Waits until the console (or another file) matches, and returns the match."""
        deadline = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.text(path), re.M)
            if found:
                return found
            if self.process.poll() is not None or time.monotonic() > deadline:
                found = re.search(pattern, self.text(path), re.M)
                if found:
                    return found
                pytest.fail(
                    f"no {pattern!r} in {(path or self.console).name}; "
                    f"exit status {self.process.poll()}\n"
                    f"--- {(path or self.console).name}\n{self.text(path)[-3000:]}\n"
                    f"--- stderr\n{self.text(self.errors)[-3000:]}"
                )
            time.sleep(0.05)

    def wait(self, timeout=120):
        """Waits for the process to end and returns its exit status."""
        return self.process.wait(timeout)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def vnc(self):
        from vncdotool import api

        deadline = time.monotonic() + 20
        while not self.vnc_path.exists():
            assert time.monotonic() < deadline and self.process.poll() is None, self.text(self.errors)
            time.sleep(0.02)
        return api.connect(str(self.vnc_path), timeout=60)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def start(tmp_path):
    """Starts guests that end with the test."""
    guests = []

    def start(*arguments, **options):
        directory = tmp_path / f"guest{len(guests)}"
        directory.mkdir()
        guest = Guest(directory, *arguments, **options)
        guests.append(guest)
        return guest

    yield start
    for guest in guests:
        guest.close()


@pytest.fixture
def assemble(tmp_path):
    """Assembles a source from Fixtures/ to a flat binary, padded to `size` if given."""

    def assemble(source, size=None, name=None):
        source = ROOT / "Fixtures" / source
        target = tmp_path / (name or source.with_suffix(".img").name)
        subprocess.run(
            ["nasm", "-f", "bin", "-I", f"{source.parent}/", "-o", str(target), str(source)], check=True
        )
        if size:
            with open(target, "r+b") as image:
                image.truncate(size)
        return target

    return assemble


@pytest.fixture(scope="session")
def grub_disk():
    return made_image("grub-disk.sh", "grub-disk.img")


@pytest.fixture(scope="session")
def grub_cd():
    return made_image("grub-cd.sh", "grub-cd.iso")


def made_image(script, name):
    target = CACHE / name
    subprocess.run([str(ROOT / "Fixtures/images" / script), str(target)], check=True)
    return target


@pytest.fixture
def grub_disk_copy(grub_disk, tmp_path):
    return pathlib.Path(shutil.copy(grub_disk, tmp_path / "disk.img"))
