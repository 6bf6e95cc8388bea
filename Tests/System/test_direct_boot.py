# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels started with -kernel, by option ROMs of our own, on the built binary."""

import subprocess

import pytest
from conftest import ROOT

# Each runs on both engines.
BOTH_ENGINES = True

STATUS = 0x10 * 2 + 1


def run(start, kernel, *arguments):
    guest = start("-kernel", kernel, "-m", "64", "-device", "isa-debug-exit", *arguments)
    assert guest.wait() == STATUS, guest.text() + guest.text(guest.errors)
    return guest.text()


def test_linux(start, assemble, tmp_path):
    kernel = assemble("bare-metal/linux-stub.asm")
    initrd = tmp_path / "initrd"
    initrd.write_bytes(b"files")
    assert run(start, kernel, "-initrd", initrd, "-append", "hello=world") == (
        "command line: hello=world\nkernel: above 1 MiB\ninitrd: files\nBIOS: there\n"
    )


def test_linux_without_initrd(start, assemble):
    kernel = assemble("bare-metal/linux-stub.asm")
    assert run(start, kernel) == "command line: \nkernel: above 1 MiB\ninitrd: \nBIOS: there\n"


def test_multiboot_with_modules(start, assemble, tmp_path):
    kernel = assemble("bare-metal/multiboot-hello.asm")
    (tmp_path / "one").write_bytes(b"first\n")
    (tmp_path / "two").write_bytes(b"second\n")
    modules = f"{tmp_path}/one a b,{tmp_path}/two"
    text = run(start, kernel, "-initrd", modules, "-append", "arguments")
    expected = ["Multiboot", "BSS is clear", f"command line: {kernel} arguments", "loader: Martlet"]
    expected += [f"module {tmp_path}/one a b: first", f"module {tmp_path}/two: second"]
    lines = text.splitlines()
    assert lines[:6] == expected
    # RAM, what the BIOS keeps below 1 MiB, RAM, what it keeps at the end and below 4 GiB; and both sizes.
    assert lines[6].startswith("map: R-") and lines[6].count("R") == 2 and lines[6].endswith(" sizes")


def test_multiboot_elf(start, tmp_path):
    source = ROOT / "Fixtures/bare-metal/multiboot-hello.asm"
    subprocess.run(["nasm", "-f", "elf32", "-DELF", "-o", tmp_path / "kernel.o", source], check=True)
    link = "ld -m elf_i386 -N -Ttext 0x100000 -e entry --no-warn-rwx-segments".split()
    subprocess.run([*link, "-o", tmp_path / "kernel", tmp_path / "kernel.o"], check=True)
    assert run(start, tmp_path / "kernel").startswith("Multiboot\nBSS is clear\n")


@pytest.mark.parametrize(
    "contents, sentence",
    [(b"nothing of the kind", "not a kernel that can be started"), (b"", "empty")],
)
def test_what_is_no_kernel_is_refused(start, tmp_path, contents, sentence):
    kernel = tmp_path / "kernel"
    kernel.write_bytes(contents)
    guest = start("-kernel", kernel)
    assert guest.wait() == 1
    assert sentence in guest.text(guest.errors)
