# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a guest's data when the process is killed or the host's file system is full."""

import os
import signal
import subprocess
import time

import pytest

# Each runs on both engines.
BOTH_ENGINES = True

NAMESPACE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
PIECES, PIECE = 32, 32768


@pytest.mark.parametrize("cache", ["writeback", "none", "writethrough", "directsync"])
def test_what_was_flushed_survives_a_kill(start, assemble, cache):
    disk = assemble("boot-sectors/flush.asm", size=1 << 20)
    guest = start("-drive", f"file={disk},format=raw,cache={cache}", "-m", "64")
    guest.wait_for("flushed")
    guest.process.kill()
    assert guest.wait() == -signal.SIGKILL
    data = disk.read_bytes()
    expected = b"".join(((0x4321 + 0x101 * i) & 0xFFFF).to_bytes(2, "little") for i in range(256))
    assert data[5 * 512 : 6 * 512] == expected
    # The lock went with the process.
    again = start(disk, "-m", "64", "-S")
    again.vnc()
    assert again.terminate() == 0


@pytest.fixture
def full_disk(assemble, tmp_path):
    """How to start on a file system of 2 MiB that holds an image of 3 MiB with a hole, and 1.5 MiB of something
    else: the words before the program, the image, and the ballast inside the process's root."""
    disk = assemble("boot-sectors/fill-disk.asm", name="master.img")
    mount = tmp_path / "small"
    mount.mkdir()
    prepare = f"""
        set -e
        mount -t tmpfs -o size=2M none {mount}
        cp {disk} {mount}/disk.img
        truncate -s 3M {mount}/disk.img
        head -c 1536K /dev/zero > {mount}/ballast
        exec "$@"
    """
    if subprocess.run([*NAMESPACE, "sh", "-c", prepare, "-", "true"], capture_output=True).returncode != 0:
        pytest.skip("this host lets us mount nothing")
    return [*NAMESPACE, "sh", "-c", prepare, "-"], mount / "disk.img", mount / "ballast"


def inside(guest, path):
    """The path as the guest's process sees it."""
    return f"/proc/{guest.process.pid}/root{path}"


@pytest.mark.parametrize("arguments", [[], ["cache=none"], ["werror=stop"]])
def test_a_full_file_system_stops_the_guest_until_there_is_room(start, full_disk, arguments):
    prefix, disk, ballast = full_disk
    drive = ",".join([f"file={disk}", "format=raw", *arguments])
    guest = start("-drive", drive, "-m", "64", "-device", "isa-debug-exit", prefix=prefix)
    message = guest.wait_for(r"paused: (.*); 'kill -CONT (\d+)'", guest.errors)
    assert "No space left" in message.group(1) and str(disk) in message.group(1)
    assert int(message.group(2)) == guest.process.pid
    # It stands still, having written what there was room for, and nothing was reported to it.
    written = guest.text().split()
    assert 8 <= len(written) < PIECES and "error" not in written
    time.sleep(0.5)
    assert guest.text().split() == written and guest.process.poll() is None
    # Still no room: it stops again.
    os.kill(guest.process.pid, signal.SIGCONT)
    guest.wait_for(r"paused[^$]*paused", guest.errors)
    # The image outlives the process in a file that was opened through the process's root.
    with open(inside(guest, disk), "rb") as image:
        os.unlink(inside(guest, ballast))
        os.kill(guest.process.pid, signal.SIGCONT)
        assert guest.wait() == 8 * 2 + 1, guest.text()
        image.seek(64 * 512)
        for number in range(1, PIECES + 1):
            assert image.read(PIECE) == number.to_bytes(2, "little") * (PIECE // 2), number
    assert guest.text().split() == [f"{number:02x}" for number in range(1, PIECES + 1)]


def test_a_full_file_system_may_be_reported_to_the_guest(start, full_disk):
    prefix, disk, _ = full_disk
    guest = start(
        "-drive", f"file={disk},format=raw,werror=report", "-m", "64", "-device", "isa-debug-exit", prefix=prefix)
    assert guest.wait() == 9 * 2 + 1, guest.text()
    words = guest.text().split()
    assert words[-2] == "error" and words[-1] != "00"
    assert 8 <= len(words) - 2 < PIECES
    assert "paused" not in guest.text(guest.errors)


def test_a_full_file_system_may_be_ignored(start, full_disk):
    prefix, disk, _ = full_disk
    guest = start(
        "-drive", f"file={disk},format=raw,werror=ignore", "-m", "64", "-device", "isa-debug-exit", prefix=prefix)
    assert guest.wait() == 8 * 2 + 1, guest.text()
