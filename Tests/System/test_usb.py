# SPDX-License-Identifier: GPL-2.0-or-later
"""USB controllers and devices, with the drivers of real guests."""

import hashlib
import os
import pathlib
import re
import socket
import subprocess
import time

import pytest
from conftest import MARTLET
from guests import ACCEL, Screen, Shell, installer, needs_engine
from network_peers import Monitor

pytestmark = needs_engine

ICH9 = ["-device", "ich9-usb-ehci1,id=usb,addr=5.7", "-device", "ich9-usb-uhci1,masterbus=usb.0,firstport=0,addr=5"]
CONTROLLERS = {
    "uhci": (["-usb"], "usb-bus.0"),
    "ehci": (["-device", "usb-ehci"], "usb-bus.0"),
    "ich9": (ICH9, "usb.0"),
    "xhci": (["-device", "qemu-xhci"], "usb-bus.0"),
}


def options(controller):
    return ["-nodefaults", "-vga", "std", *CONTROLLERS[controller][0]]


def test_a_device_that_the_host_does_not_have(start, tmp_path):
    """Whether the host has any USB or none."""
    arguments = ["-nodefaults", "-device", "qemu-xhci"]
    result = subprocess.run(
        [MARTLET, *arguments, "-device", "usb-host,vendorid=0xffff,productid=0xfffe"], capture_output=True, text=True)
    assert result.returncode == 1 and "usb-host: there is no USB" in result.stderr, result.stderr
    # The machine goes on without it.
    guest = start(*arguments, "-S", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off", seabios_log=False)
    guest.wait_for("the screen is on", guest.errors)
    with Monitor(tmp_path / "qmp") as monitor:
        for _ in range(3):
            with pytest.raises(AssertionError, match="there is no USB"):
                monitor.run("device_add", driver="usb-host", vendorid=0xFFFF, productid=0xFFFE)
        monitor.run("device_add", driver="usb-tablet")


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_the_firmware_has_a_keyboard(start, tmp_path, controller):
    """At the boot menu: what is typed comes from the USB keyboard, once its driver has it."""
    guest = start(
        "-accel", ACCEL, "-m", "64", *options(controller), "-device", f"usb-kbd,id=kbd,bus={CONTROLLERS[controller][1]}",
        "-boot", "menu=on,splash-time=60000", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off")
    guest.wait_for("USB keyboard initialized", guest.seabios, timeout=120)
    guest.wait_for("Press ESC for boot menu", guest.seabios, timeout=60)
    with Monitor(tmp_path / "qmp") as monitor:
        facts = monitor.run("human-monitor-command", **{"command-line": "info usb"})
        assert re.search(r"Device 0\.[1-9]\d*, Port 1, Speed \d+ Mb/s, Product .*Keyboard, ID: kbd", facts), facts
        monitor.run("send-key", keys=[{"type": "qcode", "data": "esc"}])
        guest.wait_for("Select boot device", guest.seabios, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("controller", CONTROLLERS)
def test_debian_finds_the_devices(start, debian_disk, tmp_path, controller):
    guest = start(
        "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512", *options(controller),
        "-device", "usb-kbd,id=kbd", "-device", "usb-tablet,id=tablet,serial=4711",
        "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off", serial=True, seabios_log=False)
    shell = Shell(guest)
    shell.log_in()

    def products():
        return shell.run("cat /sys/bus/usb/devices/*/product").splitlines()

    assert {"Martlet USB Keyboard", "Martlet USB Tablet"} <= set(products())
    assert "4711" in shell.run("cat /sys/bus/usb/devices/*/serial")
    assert "error" not in shell.run("dmesg | grep -i usb")
    # All descriptors of all devices, the root hubs' among them; the kernel's own have no debug descriptor.
    complaints = shell.run("lsusb -v 2>&1 >/dev/null | grep -v 'debug descriptor'; true").split()
    assert not complaints, complaints
    # What moves arrives, and where it moved to.
    shell.run("ls /dev/input/by-id/*event-mouse")
    shell.run("stdbuf -oL evtest /dev/input/by-id/*event-mouse > /tmp/events 2>&1 & until grep -q interrupt /tmp/events; do sleep 0.1; done")
    with Monitor(tmp_path / "qmp") as monitor:
        assert monitor.run("query-mice")[0]["absolute"]
        position = [("x", 0x1234), ("y", 0x4321)]
        monitor.run("input-send-event", events=[
            {"type": "abs", "data": {"axis": axis, "value": value}} for axis, value in position])
        for axis, value in ("ABS_X", 0x1234), ("ABS_Y", 0x4321):
            shell.run(f"until grep -q '({axis}), value {value}$' /tmp/events; do sleep 0.1; done")
        shell.run("pkill -x evtest")
        # Pulled out and plugged in again.
        monitor.run("device_del", id="tablet")
        shell.run("while grep -q Tablet /proc/bus/input/devices; do sleep 0.1; done")
        monitor.run("device_add", driver="usb-tablet", id="tablet")
        shell.run("until grep -q Tablet /proc/bus/input/devices; do sleep 0.1; done")


@pytest.mark.parametrize("controller", ["xhci", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ehci", "uhci"))])
def test_debian_uses_a_stick(start, debian_disk, tmp_path, controller):
    content = os.urandom(4 << 20)
    image = tmp_path / "stick.img"
    image.write_bytes(content)
    guest = start(
        "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512", *options(controller),
        *([] if controller == "xhci" else ["-drive", f"if=none,id=stick,file={image},format=raw,serial=0123456789AB"]),
        "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off", serial=True, seabios_log=False)
    shell = Shell(guest)
    shell.log_in()
    disk = "/dev/disk/by-id/usb-*0123456789AB*"
    with Monitor(tmp_path / "qmp") as monitor:
        if controller == "xhci":
            # On an image that has a name of its own, instead of a drive.
            monitor.run("blockdev-add", driver="file", filename=str(image), **{"node-name": "stick"})
        def plug_in():
            monitor.run("device_add", driver="usb-storage", drive="stick", id="stick", serial="0123456789AB")
            shell.run(f"until ls {disk}; do sleep 0.1; done >/dev/null 2>&1")

        plug_in()
        assert hashlib.sha256(content).hexdigest() in shell.run(f"sha256sum < $(echo {disk})")
        shell.run(f"mkfs.ext4 -q $(echo {disk}) && mount {disk} /mnt")
        shell.run("head -c 1000000 /dev/urandom > /mnt/random && sha256sum < /mnt/random > /root/sum && umount /mnt")
        monitor.run("device_del", id="stick")
        shell.run(f"while ls {disk}; do sleep 0.1; done >/dev/null 2>&1")
        plug_in()
        shell.run(f"mount {disk} /mnt")
        assert shell.run("sha256sum < /mnt/random | diff - /root/sum") == ""
        # Pulled out under load: errors, and the controller goes on.
        shell.run(f"(dd if=$(echo {disk}) of=/dev/null bs=64k iflag=direct; true) >/dev/null 2>&1 & sleep 0.2")
        monitor.run("device_del", id="stick")
        shell.run(f"while ls {disk}; do sleep 0.1; done >/dev/null 2>&1; umount -l /mnt")
        monitor.run("device_add", driver="usb-tablet")
        shell.run("until grep -q Tablet /proc/bus/input/devices; do sleep 0.1; done")


@pytest.mark.slow
def test_debian_talks_over_a_serial_adapter(start, debian_disk, tmp_path):
    """On the second port of UHCI there is a hub by then."""
    guest = start(
        "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512", *options("uhci"), "-device", "usb-tablet",
        "-chardev", f"socket,id=wire,path={tmp_path}/wire,server=on,wait=off", "-device", "usb-serial,chardev=wire",
        serial=True, seabios_log=False)
    shell = Shell(guest)
    shell.log_in()
    shell.run("until test -c /dev/ttyUSB0; do sleep 0.1; done; stty -F /dev/ttyUSB0 raw -echo 115200")
    assert "USB Hub" in shell.run("cat /sys/bus/usb/devices/*/product")
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(f"{tmp_path}/wire")
        wire.settimeout(120)
        shell.run("(head -n 1 /dev/ttyUSB0 > /tmp/line) >/dev/null 2>&1 & sleep 1; echo hello > /dev/ttyUSB0")
        received = b""
        while not received.endswith(b"\n"):
            received += wire.recv(100)
        assert received == b"hello\n"
        wire.sendall(b"world\n")
        shell.run("while pgrep -x head >/dev/null; do sleep 0.1; done")
        assert shell.run("cat /tmp/line") == "world\n"


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_grub_starts_from_a_stick(start, grub_disk, tmp_path, controller):
    """The firmware's driver reads GRUB, and GRUB, through the firmware, its files."""
    guest = start(
        "-accel", ACCEL, "-m", "64", *options(controller), "-drive", f"if=none,id=stick,file={grub_disk},format=raw,snapshot=on",
        "-device", f"usb-storage,drive=stick,bootindex=0,bus={CONTROLLERS[controller][1]}")
    guest.wait_for("USB MSC", guest.seabios, timeout=120)
    screen = Screen(guest)
    screen.wait_for(r"grub>")
    screen.press("c", "a", "t", "space", "/", "h", "e", "l", "l", "o", ".", "t", "x", "t", "enter")
    screen.wait_for(r"Hello from the disk")


@pytest.mark.parametrize("controller", ["uhci", "ehci", "xhci"])
def test_grub_starts_from_a_usb_cd(start, grub_cd, controller):
    guest = start(
        "-accel", ACCEL, "-m", "64", *options(controller), "-drive", f"if=none,id=cd,media=cdrom,file={grub_cd}",
        "-device", "usb-storage,drive=cd,bootindex=0")
    guest.wait_for("USB MSC .* type=5", guest.seabios, timeout=120)
    screen = Screen(guest)
    screen.wait_for(r"grub>")
    screen.type_line("ls")
    screen.wait_for(r"\(cd\)")


@pytest.mark.parametrize("controller", ["uhci", "ehci", "xhci"])
def test_a_usb_cd_is_ejected(start, grub_cd, tmp_path, controller):
    """What the firmware and GRUB make of a drive that is suddenly empty, and has its disc again."""
    guest = start(
        "-accel", ACCEL, "-m", "64", *options(controller), "-drive", f"if=none,id=cd,media=cdrom,file={grub_cd}",
        "-device", "usb-storage,drive=cd,bootindex=0", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off")
    screen = Screen(guest)
    screen.wait_for(r"grub>")
    with Monitor(tmp_path / "qmp") as monitor:
        monitor.run("eject", device="cd", force=True)
        # GRUB trusts for two seconds in what it has read, and keeps all that is near.
        time.sleep(3)
        screen.type_line("cat (cd)/hello.txt")
        screen.wait_for(r"error: .*\.")
        monitor.run("blockdev-change-medium", device="cd", filename=str(grub_cd))
        # Whoever asks first is told that there may be another disc, which firmware and GRUB pass on as errors.
        def is_back():
            screen.type_line("cat (cd)/hello.txt")
            time.sleep(3)
            return re.search(r"Hello from the CD", screen.text())

        screen.wait_until(is_back, "no file of the disc")


def test_grub_drives_the_controllers_itself(start, grub_disk, tmp_path):
    """GRUB's own drivers, in place of the firmware's: a stick on EHCI, and a keyboard on UHCI."""
    guest = start(
        "-accel", ACCEL, "-m", "64", "-nodefaults", "-vga", "std", grub_disk, "-snapshot", "-device", "usb-ehci,id=ehci",
        "-drive", f"if=none,id=stick,file={grub_disk},format=raw", "-device", "usb-storage,drive=stick,bus=ehci.0",
        "-device", "piix3-usb-uhci,id=uhci", "-device", "usb-kbd,bus=uhci.0,id=kbd")
    screen = Screen(guest)
    screen.wait_for(r"grub>")
    def load(module):
        screen.type_line(f"insmod {module}")
        screen.wait_for(rf"insmod {module}\s+grub>")

    # A controller's driver takes the firmware's disks away: all else comes before it, or from the stick.
    for module in "usbms", "usb_keyboard", "ehci":
        load(module)
    screen.type_line("cat (usb0,msdos1)/hello.txt")
    screen.wait_for(r"Hello from the disk")
    screen.type_line("clear")
    screen.type_line("set prefix=(usb0,msdos1)/boot/grub")
    load("uhci")
    screen.type_line("terminal_input")
    # It is taken as soon as it is there.
    screen.wait_for(r"Active input terminals:\s+usb_keyboard0")
    screen.type_line("cat (usb0,msdos1)/hello.txt")
    screen.wait_for(r"Hello from the disk")


@pytest.mark.slow
def test_a_click_lands_where_the_viewer_points(start):
    """In Debian's graphical installer: a line of its list of languages, then the button that goes on."""
    guest = start(
        "-accel", ACCEL, *installer("amd64", "gtk"), "-append", "vga=788", "-m", "1024", *options("uhci"),
        "-device", "usb-tablet", seabios_log=False)
    screen = Screen(guest)
    screen.wait_until(lambda: screen.picture().width == 1024, "no graphical installer")
    # The client goes on asking for a picture of the size that it was when it connected.
    screen.close()
    screen = Screen(guest)
    white = (255, 255, 255)

    def lines():
        """What is right of the words: of the line at 360, and of its neighbours."""
        picture = screen.picture().convert("RGB")
        return picture.getpixel((500, 360)), [picture.getpixel((500, y)) for y in (337, 383)]

    def heading():
        return screen.picture().convert("L").crop((10, 80, 300, 110)).tobytes()

    def click(x, y):
        screen.client.mouseMove(x, y)
        time.sleep(1)
        screen.client.mousePress(1)

    def is_selected():
        line, neighbours = lines()
        return line != white and neighbours == [white, white]

    screen.wait_until(lambda: lines() == (white, [white, white]), "no list of languages")
    click(100, 360)
    screen.wait_until(is_selected, "the line is not selected")
    before = heading()
    click(962, 742)
    screen.wait_until(lambda: heading() != before, "the button was not pressed")
    screen.close()


@pytest.mark.slow
@pytest.mark.parametrize("controller", ["uhci", "ehci", "xhci"])
def test_a_hundred_times_in_and_out(start, debian_disk, tmp_path, controller):
    """Devices come and go while a stick is read, and nothing of them stays: no memory, no descriptor."""
    image = tmp_path / "stick.img"
    image.write_bytes(bytes(4 << 20))
    (tmp_path / "other.img").write_bytes(bytes(1 << 20))
    guest = start(
        "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512", *options(controller),
        "-drive", f"if=none,id=stick,file={image},format=raw,serial=0123456789AB",
        "-drive", f"if=none,id=other,file={tmp_path}/other.img,format=raw,serial=BA9876543210",
        "-device", "usb-storage,drive=stick", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off", serial=True,
        seabios_log=False)
    shell = Shell(guest)
    shell.log_in()

    proc = pathlib.Path(f"/proc/{guest.process.pid}")

    def resources():
        status = (proc / "status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]), len(list((proc / "fd").iterdir()))

    disk = "/dev/disk/by-id/usb-*0123456789AB-0:0"
    shell.run(
        f"(while dd if=$(echo {disk}) of=/dev/null bs=64k iflag=direct; do :; done) >/dev/null 2>&1 & echo $! > /tmp/reader")
    with Monitor(tmp_path / "qmp") as monitor:
        for count in range(100):
            monitor.run("device_add", driver="usb-storage", drive="other", id="other")
            if count % 10 == 0:
                shell.run("until ls /dev/disk/by-id/usb-*BA9876543210*; do sleep 0.1; done >/dev/null 2>&1")
            monitor.run("device_del", id="other")
            if count == 9:
                before = resources()
        after = resources()
    # Still the same reader, and no error.
    shell.run("kill -0 $(cat /tmp/reader)", status=0)
    assert "I/O error, dev sda" not in shell.run("dmesg")
    assert after[1] <= before[1]
    assert after[0] < before[0] + 4096, (before, after)
