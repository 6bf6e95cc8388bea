# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the whole share: guests started as a user starts them, and looked at from outside."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

# A shell has what it starts in the background ignore SIGINT, and the guests would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Absolute: some tests start it elsewhere.
MARTLET = pathlib.Path(os.environ.get("MARTLET", ROOT / ".build/release/martlet")).resolve()
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


def pytest_generate_tests(metafunc):
    # Where nothing is said a test runs on the engine that the program chooses.
    if "start" in metafunc.fixturenames and getattr(metafunc.module, "BOTH_ENGINES", False):
        metafunc.parametrize("engine", ["soft", pytest.param("kvm", marks=needs_kvm)])


@pytest.fixture
def engine():
    return None


class Guest:
    """A running martlet, its debug console in a file and its VNC server on a Unix socket.

    With `serial`, its first serial port is `guest.serial`: what it sends is read, and kept in a file, all the time.
    `vnc` may be another argument of `-vnc`, False for none, or None to leave the option out. `prefix` is a command
    that ends in starting what follows it.
    """

    def __init__(self, directory, *arguments, vnc=True, seabios_log=True, serial=False, prefix=(),
                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
        self.directory = directory
        self.console = directory / "console.txt"
        self.seabios = directory / "seabios.txt"
        self.vnc_path = directory / "vnc.sock"
        self.errors = directory / "stderr.txt"
        command = [*prefix, str(MARTLET), *map(str, arguments)]
        command += ["-debugcon", f"file:{self.console}"]
        # The ROM of a network card takes a while, in tests that have nothing to do with it.
        if not {"-nic", "-netdev", "-net"} & set(command):
            command += ["-nic", "none"]
        if seabios_log:
            command += ["-chardev", f"file,id=bios,path={self.seabios}"]
            command += ["-device", "isa-debugcon,iobase=0x402,chardev=bios"]
        if vnc is not None:
            command += ["-vnc", vnc if isinstance(vnc, str) else f"unix:{self.vnc_path}" if vnc else "none"]
        if serial:
            command += ["-serial", "stdio"]
            stdin = subprocess.PIPE
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=errors)
        self.serial = Serial(self, directory / "serial.txt") if serial else None

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


class Serial:
    """The guest's first serial port, read by a thread so that the guest need never wait for its reader."""

    def __init__(self, guest, path):
        self.guest = guest
        self.path = path
        self.position = 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with open(self.path, "wb", buffering=0) as log:
            while data := os.read(self.guest.process.stdout.fileno(), 4096):
                log.write(data)

    def text(self):
        """All that has come so far, without the terminal's control sequences and carriage returns."""
        text = self.guest.text(self.path)
        return re.sub(r"\x1b(\[[0-9;?]*[a-zA-Z]|[()][0-9A-Za-z]|[=>78])|\r", "", text)

    def send(self, text):
        self.guest.process.stdin.write(text.encode())
        self.guest.process.stdin.flush()

    def expect(self, pattern, timeout=120):
        """Waits for a pattern behind what was expected last, and returns the match."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.guest.process.poll() is not None
            if ended:
                self.reader.join()
            text = self.text()
            found = re.compile(pattern, re.M).search(text, self.position)
            if found:
                self.position = found.end()
                return found
            if ended or time.monotonic() > deadline:
                pytest.fail(
                    f"no {pattern!r} on the serial port; exit status {self.guest.process.poll()}\n"
                    f"--- {self.path.name}\n{text[-3000:]}\n--- stderr\n{self.guest.text(self.guest.errors)[-3000:]}"
                )
            time.sleep(0.1)


@pytest.fixture
def start(tmp_path, engine):
    """Starts guests that end with the test."""
    guests = []

    def start(*arguments, **options):
        directory = tmp_path / f"guest{len(guests)}"
        directory.mkdir()
        if engine:
            arguments = ["-accel", engine, *arguments]
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


@pytest.fixture(scope="session")
def isolinux_cd():
    return made_image("isolinux-cd.sh", "isolinux-cd.iso")


@pytest.fixture(scope="session")
def debian_disk():
    return made_image("debian-disk.sh", "debian-disk.img")


def made_image(script, name):
    target = CACHE / name
    subprocess.run([str(ROOT / "Fixtures/images" / script), str(target)], check=True)
    return target


@pytest.fixture
def grub_disk_copy(grub_disk, tmp_path):
    return pathlib.Path(shutil.copy(grub_disk, tmp_path / "disk.img"))
