# SPDX-License-Identifier: GPL-2.0-or-later
"""The screen and the keyboard, through VNC clients."""

import time

import pytest
from conftest import needs_kvm

pytestmark = needs_kvm


def type_text(client, text, pause=0.05):
    names = {"/": "/", " ": "space", ".": ".", "\n": "enter"}
    for character in text:
        client.keyPress(names.get(character, character))
        time.sleep(pause)


def lit_pixels(path):
    from PIL import Image

    image = Image.open(path).convert("L")
    return sum(1 for value in image.tobytes() if value > 64), image.size


def test_typed_keys_reach_the_guest_and_the_screen(start, assemble, tmp_path):
    guest = start(assemble("boot-sectors/keyboard.asm", size=1 << 20), "-m", "64")
    guest.wait_for("ready")
    client = guest.vnc()
    before = tmp_path / "before.png"
    client.captureScreen(str(before))
    type_text(client, "hello\n")
    guest.wait_for("1c0d")
    assert guest.text().split() == ["ready", "2368", "1265", "266c", "266c", "186f", "1c0d"]
    # A second for the picture to follow.
    time.sleep(1)
    after = tmp_path / "after.png"
    client.captureScreen(str(after))
    count_before, size = lit_pixels(before)
    count_after, _ = lit_pixels(after)
    assert size == (720, 400)
    assert count_after > count_before + 50
    client.disconnect()


def test_ctrl_alt_del_resets(start, assemble):
    guest = start(assemble("boot-sectors/keyboard.asm", size=1 << 20), "-m", "64")
    guest.wait_for("ready")
    client = guest.vnc()
    client.keyPress("ctrl-alt-del")
    guest.wait_for(r"ready\n[^$]*ready")
    client.disconnect()


@pytest.mark.parametrize("medium", ["disk", pytest.param("cd", marks=pytest.mark.slow)])
def test_grub_reaches_its_prompt_and_answers(start, medium, grub_disk, grub_cd, tmp_path):
    """About a minute and a half on a KVM without hardware behind it."""
    arguments = ["-cdrom", grub_cd, "-boot", "d"] if medium == "cd" else [grub_disk, "-snapshot"]
    guest = start(*arguments, "-m", "64")
    client = guest.vnc()
    screen = tmp_path / f"grub-{medium}.png"
    # The prompt: "GNU GRUB" at the top and text below the rule, standing still.
    deadline = time.monotonic() + 400
    while True:
        client.captureScreen(str(screen))
        if is_grub_prompt(screen):
            break
        assert time.monotonic() < deadline, f"no prompt: see {screen}"
        time.sleep(2)
    # GRUB draws each letter anew, slowly here; the BIOS keeps fifteen keys and drops more.
    type_text(client, "cat /hello.txt\n", pause=1)
    before = lit_pixels(screen)[0]
    while True:
        time.sleep(2)
        client.captureScreen(str(screen))
        if lit_pixels(screen)[0] > before + 300:
            break
        assert time.monotonic() < deadline, f"no answer: see {screen}"
    client.disconnect()


def is_grub_prompt(path):
    """GRUB draws its banner in the second row of 80 columns and the prompt in the ninth."""
    from PIL import Image

    image = Image.open(path).convert("L")
    if image.size != (720, 400):
        return False

    def lit(row, first, last):
        box = image.crop((first * 9, row * 16, last * 9, row * 16 + 16))
        return any(value > 64 for value in box.tobytes())

    return lit(1, 23, 56) and not lit(1, 0, 20) and lit(8, 0, 5) and not lit(20, 0, 80)
