# SPDX-License-Identifier: GPL-2.0-or-later
"""People's viewers: TigerVNC, gvnccapture, vncdotool and noVNC in a browser show the guest and type into it."""

import base64
import os
import re
import select
import subprocess
import time

import pytest
from chromium import Chromium

# What is typed before pictures are compared.
FIRST_TEXT = "gqy"


@pytest.fixture
def guest(start, assemble):
    """A guest that shows what is typed, its screen on a TCP port and in a web server."""
    guest = start(
        assemble("boot-sectors/keyboard.asm", size=1 << 20), "-m", "64", vnc="127.0.0.1:40,to=50,websocket=on")
    guest.wait_for("ready")
    found = guest.wait_for(r"127\.0\.0\.1:(59\d\d)", guest.errors)
    guest.port = int(found.group(1))
    guest.url = guest.wait_for(r"http://\S+[/\w]", guest.errors).group(0)
    return guest


def expected_picture(guest, path):
    """The guest's screen as vncdotool sees it, after some text was typed there."""
    from vncdotool import api

    client = api.connect(f"127.0.0.1::{guest.port}", timeout=60)
    for character in FIRST_TEXT:
        client.keyPress(character)
    wait_for_keys(guest, FIRST_TEXT)
    time.sleep(1)
    client.captureScreen(str(path))
    client.disconnect()
    return picture(path)


def picture(path):
    from PIL import Image

    return Image.open(path).convert("RGB")


def wait_for_keys(guest, text):
    """The guest tells the scan code and the character of each key, as hexadecimal digits."""
    deadline = time.monotonic() + 60
    while True:
        keys = re.findall(r"^[0-9a-f]{2}([0-9a-f]{2})$", guest.text(), re.M)
        if bytes.fromhex("".join(keys)).decode() == text:
            return
        assert time.monotonic() < deadline, f"keys so far: {keys}, expected {text!r}"
        time.sleep(0.1)


def shows(shot, expected, corner):
    """Whether the screenshot shows the expected picture with its upper left corner there.

    Viewers may ask for a lossy encoding. The cursor, which blinks, is as small as a few letters' dots."""
    from PIL import ImageChops

    box = (corner[0], corner[1], corner[0] + expected.width, corner[1] + expected.height)
    if box[0] < 0 or box[1] < 0 or box[2] > shot.width or box[3] > shot.height:
        return False
    difference = ImageChops.difference(shot.crop(box), expected).convert("L")
    return sum(1 for value in difference.tobytes() if value > 40) <= 2 * 9


def wait_until_shown(take, path, expected, corner, timeout=90):
    deadline = time.monotonic() + timeout
    while True:
        take()
        if shows(picture(path), expected, corner()):
            return
        assert time.monotonic() < deadline, f"the viewer does not show the guest: see {path}"
        time.sleep(0.5)


@pytest.fixture
def display(tmp_path):
    """An X server without a screen, and its display's name."""
    reader, writer = os.pipe()
    with open(tmp_path / "xvfb.log", "wb") as log:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1000x700x24", "-nolisten", "tcp",
             # Not to start anew whenever the last client has gone, while the next connects.
             "-noreset"],
            pass_fds=(writer,), stdout=log, stderr=log,
        )
    os.close(writer)
    # The number and the end of its line come apart: who closes the pipe between them ends the server.
    number = ""
    while not number.endswith("\n"):
        assert select.select([reader], [], [], 30)[0], "Xvfb does not start"
        text = os.read(reader, 16).decode()
        assert text, "Xvfb has ended"
        number += text
    number = number.strip()
    os.close(reader)
    yield f":{number}"
    server.terminate()
    server.wait(10)


def test_tigervnc(guest, display, tmp_path):
    expected = expected_picture(guest, tmp_path / "expected.png")
    environment = {**os.environ, "DISPLAY": display, "HOME": str(tmp_path)}
    shot = tmp_path / "tigervnc.png"

    def run(*command):
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def window():
        deadline = time.monotonic() + 60
        while True:
            found = subprocess.run(
                ["xdotool", "search", "--onlyvisible", "--name", "TigerVNC"], env=environment, capture_output=True)
            if found.returncode == 0:
                return found.stdout.split()[0].decode()
            assert time.monotonic() < deadline, "the viewer shows no window"
            time.sleep(0.3)

    def corner():
        """The picture is centred in the viewer's window."""
        place = dict(re.findall(r"(\w+)=(\d+)", run("xdotool", "getwindowgeometry", "--shell", window())))
        return (
            int(place["X"]) + (int(place["WIDTH"]) - expected.width) // 2,
            int(place["Y"]) + (int(place["HEIGHT"]) - expected.height) // 2,
        )

    def take():
        # Refused while the viewer's window is being resized.
        while subprocess.run(["import", "-window", "root", str(shot)], env=environment, capture_output=True).returncode:
            assert viewer.poll() is None, "the viewer has ended"
            time.sleep(0.2)

    with open(tmp_path / "tigervnc.log", "wb") as log:
        viewer = subprocess.Popen(
            ["xtigervncviewer", "-Shared", f"127.0.0.1::{guest.port}"], env=environment, stdout=log, stderr=log)
    try:
        wait_until_shown(take, shot, expected, corner)
        run("xdotool", "windowfocus", "--sync", window())
        run("xdotool", "key", "t")
        wait_for_keys(guest, FIRST_TEXT + "t")
    finally:
        viewer.terminate()
        viewer.wait(10)


def test_gvnccapture(guest, display, tmp_path):
    expected = expected_picture(guest, tmp_path / "expected.png")
    shot = tmp_path / "gvnccapture.png"

    def take():
        subprocess.run(
            ["gvnccapture", "-q", f"127.0.0.1:{guest.port - 5900}", str(shot)], check=True, timeout=60,
            env={**os.environ, "DISPLAY": display, "HOME": str(tmp_path)},
        )

    take()
    assert picture(shot).size == expected.size
    wait_until_shown(take, shot, expected, lambda: (0, 0))


def test_novnc_in_a_browser(guest, tmp_path):
    from PIL import Image

    expected = expected_picture(guest, tmp_path / "expected.png")
    shot = tmp_path / "novnc.png"
    browser = Chromium(tmp_path / "chromium", guest.url)

    def take():
        """The picture in the page, before it is scaled to the window."""
        url = browser.evaluate("document.querySelector('canvas')?.toDataURL('image/png')") or ""
        shot.write_bytes(base64.b64decode(url.partition(",")[2]) or (tmp_path / "empty.png").read_bytes())

    Image.new("RGB", (1, 1)).save(tmp_path / "empty.png")
    try:
        wait_until_shown(take, shot, expected, lambda: (0, 0))
        # It fills the window but for borders.
        browser.screenshot(tmp_path / "window.png")
        assert browser.evaluate("document.querySelector('canvas').getBoundingClientRect().width") > 900
        browser.press("n")
        wait_for_keys(guest, FIRST_TEXT + "n")
    finally:
        browser.close()


def test_two_viewers_see_the_same(guest, display, tmp_path):
    """What one viewer's user types, the other's sees."""
    from vncdotool import api

    before = expected_picture(guest, tmp_path / "before.png")
    watcher = api.connect(f"127.0.0.1::{guest.port}", timeout=60)
    shot = tmp_path / "watcher.png"
    wait_until_shown(lambda: watcher.captureScreen(str(shot)), shot, before, lambda: (0, 0))
    typist = api.connect(f"127.0.0.1::{guest.port}", timeout=60)
    for character in "mw":
        typist.keyPress(character)
    wait_for_keys(guest, FIRST_TEXT + "mw")
    time.sleep(1)
    typist.captureScreen(str(tmp_path / "typist.png"))
    after = picture(tmp_path / "typist.png")
    assert not shows(after, before, (0, 0))
    wait_until_shown(lambda: watcher.captureScreen(str(shot)), shot, after, lambda: (0, 0))
    typist.disconnect()
    watcher.disconnect()


def test_a_password_from_a_secret(start, assemble, tmp_path):
    """-object secret and password-secret=: who knows it sees the screen, who does not is refused."""
    from vncdotool import api
    from vncdotool.client import AuthenticationError

    path = tmp_path / "vnc.sock"
    guest = start(
        assemble("boot-sectors/keyboard.asm", size=1 << 20), "-m", "64", "-object", "secret,id=word,data=sesame",
        vnc=f"unix:{path},password-secret=word")
    guest.wait_for("ready")
    with pytest.raises(AuthenticationError):
        api.connect(str(path), password="closed", timeout=60).captureScreen(str(tmp_path / "no.png"))
    client = api.connect(str(path), password="sesame", timeout=60)
    client.captureScreen(str(tmp_path / "yes.png"))
    client.disconnect()
    assert picture(tmp_path / "yes.png").size[0] >= 640
