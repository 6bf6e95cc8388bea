# SPDX-License-Identifier: GPL-2.0-or-later
"""The screen and the keyboard, through VNC clients."""

import time

import pytest

# Each runs on both engines.
BOTH_ENGINES = True


def type_text(client, text):
    names = {"/": "/", " ": "space", ".": ".", "\n": "enter"}
    for character in text:
        client.keyPress(names.get(character, character))
        time.sleep(0.05)


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
    deadline = time.monotonic() + 600
    while True:
        client.captureScreen(str(screen))
        if is_grub_prompt(screen):
            break
        assert time.monotonic() < deadline, f"no prompt: see {screen}"
        time.sleep(2)
    type_and_see(client, "cat /hello.txt", screen, deadline)
    client.keyPress("enter")
    # "Hello from the disk." or "Hello from the CD." stands below the prompt, and nothing longer, such as an error.
    # The next prompt follows after an empty line.
    while not is_lit(screen, 9, 0, 5) or not is_lit(screen, 11, 0, 5):
        assert time.monotonic() < deadline, f"no answer: see {screen}"
        time.sleep(2)
        client.captureScreen(str(screen))
    length = 20 if medium == "disk" else 18
    assert is_lit(screen, 9, length - 1, length) and not is_lit(screen, 9, length, 80), f"see {screen}"
    client.disconnect()


def type_and_see(client, text, screen, deadline):
    """Types a letter when the one before is on the screen: GRUB takes keys only while it looks for one."""
    names = {"/": "/", " ": "space", ".": "."}
    column = len("grub> ")
    for character in text:
        client.keyPress(names.get(character, character))
        column += 1
        while character != " " and not is_lit(screen, 8, column - 1, column, below=12):
            assert time.monotonic() < deadline, f"the letter {character!r} did not come: see {screen}"
            time.sleep(0.3)
            client.captureScreen(str(screen))


def is_lit(path, row, first, last, below=16):
    """Whether anything is drawn in these columns of a row of 80 by 25 characters; `below` leaves out the cursor."""
    from PIL import Image

    image = Image.open(path).convert("L")
    box = image.crop((first * 9, row * 16, last * 9, row * 16 + below))
    return any(value > 64 for value in box.tobytes())


def is_grub_prompt(path):
    """GRUB draws its banner in the second row of 80 columns and the prompt in the ninth."""
    from PIL import Image

    if Image.open(path).size != (720, 400):
        return False
    return (
        is_lit(path, 1, 23, 56) and not is_lit(path, 1, 0, 20) and is_lit(path, 8, 0, 5) and not is_lit(path, 20, 0, 80)
    )
