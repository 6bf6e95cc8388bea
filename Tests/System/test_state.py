# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of a whole machine: saved, every device reset, given back. A guest in the middle of its work must not notice."""

import hashlib
import os
import time

import pytest
from conftest import needs_kvm
from guests import ACCEL, PATIENCE, Shell, needs_engine
from network_peers import Monitor, Server

CONTROLLERS = {"uhci": ["-usb"], "ehci": ["-device", "usb-ehci"], "xhci": ["-device", "qemu-xhci"]}


@pytest.mark.parametrize("accel", [pytest.param("kvm", marks=needs_kvm), "soft"])
def test_the_firmware_does_not_notice(start, assemble, tmp_path, accel):
    """SeaBIOS with disks, a CD, keyboards, sticks and cards, and a boot sector that copies by DMA and interrupts."""
    disk = assemble("boot-sectors/ide-dma-check.asm", size=1 << 20)
    stick = tmp_path / "stick.img"
    stick.write_bytes(bytes(1 << 20))
    guest = start(
        disk, "-accel", accel, "-m", "64", "-smp", "2", "-device", "isa-debug-exit", "-usb", "-device", "usb-kbd",
        "-device", "usb-ehci,id=ehci", "-device", "usb-mouse,bus=ehci.0", "-device", "qemu-xhci,id=xhci",
        "-drive", f"file={stick},format=raw,if=none,id=stick", "-device", "usb-storage,drive=stick,bus=xhci.0",
        "-nic", "user", "-nic", "user,model=rtl8139", "-nic", "user,model=pcnet",
        "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off")
    guest.vnc()
    rounds = 0
    with Monitor(tmp_path / "qmp") as monitor:
        try:
            while guest.process.poll() is None:
                monitor.run("x-round-trip-state")
                rounds += 1
                # KVM interprets here and there: it must get on, too.
                time.sleep(0.05 if accel == "kvm" else 0.005)
        except (OSError, ValueError):
            # The guest has ended the process.
            pass
    assert guest.wait() == 8 * 2 + 1, guest.text()
    assert guest.text() == "dma is right\n"
    assert rounds >= 5, rounds


@needs_engine
@pytest.mark.parametrize("card,controller,cpus", [
    ("e1000", "xhci", 1),
    pytest.param("e1000", "ehci", 2, marks=pytest.mark.slow),
    pytest.param("rtl8139", "uhci", 1, marks=pytest.mark.slow),
    pytest.param("rtl8139,chip=8139c", "xhci", 1, marks=pytest.mark.slow),
    pytest.param("pcnet", "ehci", 1, marks=pytest.mark.slow),
])
def test_debian_does_not_notice(start, debian_disk, tmp_path, card, controller, cpus):
    """A download, a disk that is written and read, a stick that is read, a screen and a keyboard, all at once."""
    content = os.urandom(12 << 20)
    sum_of_content = hashlib.sha256(content).hexdigest()
    server = Server(content)
    stick = tmp_path / "stick.img"
    stick.write_bytes(content)
    guest = start(
        "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512", "-smp", cpus,
        "-nodefaults", "-vga", "std", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off",
        "-netdev", "user,id=net", "-device", f"{card},netdev=net",
        *CONTROLLERS[controller], "-drive", f"file={stick},format=raw,if=none,id=stick",
        "-device", "usb-storage,drive=stick,id=usb", "-device", "usb-tablet", "-device", "usb-kbd",
        serial=True, seabios_log=False)
    shell = Shell(guest)
    shell.log_in()
    name = shell.run("ls /sys/class/net | grep -v lo").strip()
    shell.run(f"printf '[Match]\\nName={name}\\n[Network]\\nDHCP=yes\\n' > /etc/systemd/network/1.network")
    shell.run("systemctl start systemd-networkd && /lib/systemd/systemd-networkd-wait-online --ipv4 --timeout 300")
    shell.run("until [ -b /dev/sdb ]; do sleep 0.5; done")
    work = (f"(exec 3<>/dev/tcp/10.0.2.2/{server.port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; "
            "sed -u '/^\\r$/q' <&3 >/dev/null; sha256sum <&3 > /tmp/net) & "
            "dd if=/dev/sdb bs=64k iflag=direct 2>/dev/null | sha256sum > /tmp/stick & "
            "dd if=/dev/sdb bs=1M 2>/dev/null | tee /root/copy | sha256sum > /tmp/disk; sync; "
            "echo 3 > /proc/sys/vm/drop_caches; sha256sum < /root/copy > /tmp/copy; wait; touch /tmp/done")
    shell.run(f"(({work}) >/dev/null 2>&1 &)")
    rounds = 0
    with Monitor(tmp_path / "qmp") as monitor:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for _ in range(10):
                monitor.run("x-round-trip-state")
                rounds += 1
                time.sleep(0.05)
            monitor.run("send-key", keys=[{"type": "qcode", "data": "shift"}])
            if shell.run("[ -e /tmp/done ] && echo done; true").strip() == "done":
                break
        assert monitor.run("query-status")["running"]
    assert rounds >= 50, rounds
    for part in ("net", "stick", "disk", "copy"):
        assert shell.run(f"cat /tmp/{part}").split()[0] == sum_of_content, part
    # Neither resets nor timeouts nor lost interrupts.
    complaints = shell.run("dmesg | grep -iE 'reset|timeout|timed out|lost|nobody|error|hung|unstable' | "
                           "grep -vE 'RESET_|using .*(uhci|ehci|xhci)|errors=remount|ACPI|regulatory'; true")
    assert complaints == "", complaints
    shell.serial.send("poweroff\r")
    assert guest.wait(PATIENCE) == 0
