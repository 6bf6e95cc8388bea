# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: answers, messages and exit statuses."""

import subprocess

import pytest
from conftest import MARTLET


def run(*arguments, timeout=20):
    return subprocess.run(
        [str(MARTLET), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def test_help_fits_a_screen_per_topic():
    overview = run("-help")
    assert overview.returncode == 0
    assert len(overview.stdout.splitlines()) <= 40
    for topic in ["machine", "drives", "boot", "display", "serial", "run"]:
        assert topic in overview.stdout
        text = run("-help", topic)
        assert text.returncode == 0
        assert 3 < len(text.stdout.splitlines()) <= 60, topic
    wrong = run("-help", "drivs")
    assert wrong.returncode == 2
    assert "did you mean 'drives'?" in wrong.stderr


def test_version():
    assert run("-version").stdout.startswith("Martlet ")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-hdaa", "x"], ["hdaa", "-help"]),
        (["-m", "banana"], ["-m banana", "MiB"]),
        (["-m", "0"], ["-m 0"]),
        (["-smp", "4,cores=3"], ["-smp"]),
        (["-drive", "fiel=x"], ["unknown property 'fiel'", "did you mean 'file'"]),
        (["-drive", "file=x,format=qcow2"], ["qcow2", "qemu-img convert"]),
        (["-drive", "file=x,index=0", "-hda", "y"], ["-hda", "-drive", "both want"]),
        (["-device", "isa-debugcom"], ["did you mean 'isa-debugcon'"]),
        (["-global", "isa-debugcon.iobas=1"], ["did you mean 'iobase'"]),
        (["-vga", "cirrus"], ["std", "none"]),
        (["-accel", "xen"], ["kvm", "soft"]),
            (["-accel", "sfot"], ["did you mean 'soft'"]),
        (["-nic", "usr"], ["did you mean 'user'"]),
        (["-nic", "user,hostfwd=tcp:22"], ["tcp::2222-:22"]),
        (["-netdev", "user"], ["id="]),
        (["-device", "e1000,netdev=ab", "-netdev", "user,id=abc"], ["did you mean 'abc'"]),
        (["-boot", "x"], ["-boot", "'x'"]),
        (["-append", "x"], ["-kernel"]),
        (["-fw_cfg", "opt/x"], ["-fw_cfg", "file=", "string="]),
        (["-fw_cfg", "opt/x,fiel=y"], ["did you mean 'file'"]),
        (["-uuid", "x"], ["-uuid"]),
        (["a.img", "b.img"], ["b.img"]),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(arguments, words):
    result = run(*arguments)
    assert result.returncode == 2, result.stderr
    for word in words:
        assert word in result.stderr
    assert len(result.stderr.splitlines()) <= 3


def test_print_config_shows_the_machine(tmp_path):
    result = run("disk.img", "-m", "1G", "-smp", "2,cores=2", "-cdrom", "cd.iso", "--print-config")
    assert result.returncode == 0
    for words in ["1024 MiB", "2 (1 sockets × 2 cores × 1 threads)", "disk disk.img", "cdrom cd.iso"]:
        assert words in result.stdout


@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "qcow2"])
def test_bad_images_are_told_in_a_sentence(tmp_path, kind):
    path = tmp_path / "disk.img"
    if kind == "directory":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "qcow2":
        path.write_bytes(b"QFI\xfb\x00\x00\x00\x03" + bytes(65536))
    result = run(path, "-vnc", "none")
    assert result.returncode == 1
    assert str(path) in result.stderr
    assert len(result.stderr.splitlines()) <= 3


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-fw_cfg", "opt/x,file=/nonexistent"], ["/nonexistent", "No such file"]),
        (["-fw_cfg", "opt/x,string=1", "-fw_cfg", "opt/x,string=2"], ["'opt/x'", "already"]),
        (["-fw_cfg", "opt/" + "x" * 60 + ",string=1"], ["55"]),
    ],
)
def test_bad_firmware_files_are_told_in_a_sentence(arguments, words):
    result = run(*arguments, "-vnc", "none")
    assert result.returncode == 1
    for word in words:
        assert word in result.stderr
    assert len(result.stderr.splitlines()) <= 2


def test_a_second_writer_is_refused_and_the_first_named(start, tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 20))
    first = start(path, "-S", "-m", "16")
    first.vnc()
    result = run(path, "-vnc", "none", "-S")
    assert result.returncode == 1
    assert str(path) in result.stderr
    assert str(first.process.pid) in result.stderr
    assert first.terminate() == 0


def test_a_public_address_needs_a_password(tmp_path):
    result = run("-vnc", "0.0.0.0:0", "-S")
    assert result.returncode in (1, 2)
    assert "password" in result.stderr


def test_hubs_go_five_deep():
    hubs = [option for depth in range(1, 7) for option in ("-device", f"usb-hub,port={'.'.join('1' * depth)}")]
    result = run("-usb", *hubs, "-S", "-display", "none", "-nic", "none")
    assert result.returncode == 1
    assert "no more than 5 hubs" in result.stderr
