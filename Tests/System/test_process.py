# SPDX-License-Identifier: GPL-2.0-or-later
"""The process on the host: background, process file, user, what is left behind."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from conftest import MARTLET

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def run(*arguments, timeout=30, **more):
    return subprocess.run(
        [str(MARTLET), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL, **more,
    )


def gone(pid, timeout=10):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        # Nobody may be there to collect it.
        if "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def daemon(tmp_path):
    """Starts daemons, and ends those that are left."""
    files = []

    def start(*arguments, cwd=tmp_path):
        file = tmp_path / f"pid{len(files)}"
        files.append(file)
        result = run("-daemonize", "-pidfile", file, "-m", "32", *arguments, cwd=cwd)
        return result, file

    yield start
    for file in files:
        if file.exists():
            os.kill(int(file.read_text()), signal.SIGKILL)


def test_a_daemon_is_ready_when_its_parent_ends(daemon, tmp_path):
    screen = tmp_path / "vnc.sock"
    result, file = daemon("-vnc", f"unix:{screen}")
    assert result.returncode == 0, result.stderr
    # No waiting here: that is the point.
    assert screen.exists()
    pid = int(file.read_text())
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert {os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)} == {"/dev/null"}
    os.kill(pid, signal.SIGTERM)
    assert gone(pid)
    assert not screen.exists() and not file.exists()


def test_a_daemon_that_fails_says_so(daemon, tmp_path):
    result, file = daemon("-hda", tmp_path / "missing.img", "-display", "none")
    assert result.returncode == 1
    assert "missing.img' does not exist" in result.stderr
    assert not file.exists()
    result = run("-daemonize", "-serial", "stdio")
    assert result.returncode == 2 and "no terminal" in result.stderr


def test_one_process_for_a_process_file(daemon, tmp_path):
    result, file = daemon("-display", "none")
    assert result.returncode == 0
    pid = int(file.read_text())
    second = run("-m", "32", "-display", "none", "-pidfile", file)
    assert second.returncode == 1 and "running already" in second.stderr
    assert int(file.read_text()) == pid
    os.kill(pid, signal.SIGTERM)
    assert gone(pid)
    # A file that a killed process left is taken over.
    file.write_text("1\n")
    process = subprocess.Popen([MARTLET, "-S", "-m", "32", "-display", "none", "-pidfile", file], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while file.read_text() != f"{process.pid}\n":
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.terminate()
    assert process.wait(10) == 0
    assert not file.exists()


@needs_root
def test_another_user_and_root(tmp_path):
    tmp_path.chmod(0o755)
    process = subprocess.Popen(
        [MARTLET, "-S", "-m", "32", "-display", "none", "-runas", "12345:23456", "-chroot", tmp_path,
         "-pidfile", tmp_path / "pid"], stderr=subprocess.DEVNULL,
    )
    status = pathlib.Path(f"/proc/{process.pid}/status")
    deadline = time.monotonic() + 10
    while "\nUid:\t12345\t12345\t12345\t12345\n" not in status.read_text():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    text = status.read_text()
    assert "\nGid:\t23456\t23456\t23456\t23456\n" in text and "\nGroups:\t23456 \n" in text
    assert os.readlink(f"/proc/{process.pid}/root") == str(tmp_path)
    process.terminate()
    assert process.wait(10) == 0


def test_nobody_by_that_name():
    result = run("-m", "32", "-display", "none", "-runas", "no-such-user")
    assert result.returncode == 2 and "no such user" in result.stderr


def test_messages_with_the_time():
    process = subprocess.Popen(
        [MARTLET, "-S", "-m", "32", "-display", "none", "-serial", "pty", "-msg", "timestamp=on,guest-name=on",
         "-name", "fred"], stderr=subprocess.PIPE, text=True,
    )
    line = process.stderr.readline()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z fred martlet: ", line)
    process.terminate()
    assert process.wait(10) == 0
