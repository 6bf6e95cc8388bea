# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards and networks, with the option ROMs and drivers of real guests."""

import hashlib
import os
import shutil
import socket
import struct
import time

import pytest
from guests import ACCEL, Shell, needs_engine
from network_peers import Monitor, Server, free_port, read_capture

pytestmark = needs_engine

CARDS = ["e1000", "pcnet", "rtl8139", "ne2k_pci"]


@pytest.fixture
def tftp(tmp_path, assemble):
    """A directory with a program to be booted over the network."""
    folder = tmp_path / "tftp"
    folder.mkdir()
    shutil.copy(assemble("boot-sectors/network-boot.asm"), folder / "hello.0")
    return folder


@pytest.mark.parametrize("card", CARDS)
def test_a_guest_without_disks_boots_from_the_network(start, tftp, card):
    guest = start(
        "-accel", ACCEL, "-m", "64", "-boot", "n", "-nic", f"user,model={card},tftp={tftp},bootfile=hello.0,ipv6=off",
        "-device", "isa-debug-exit,iobase=0x501")
    guest.wait_for("started from the network", timeout=300)
    assert guest.wait() == 7


def test_two_machines_are_joined_by_a_socket(start):
    """The card's ROM asks for an address on a socket; we are the machine at the other end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        start("-accel", ACCEL, "-m", "64", "-boot", "n",
              "-nic", f"socket,connect=127.0.0.1:{server.getsockname()[1]}", "-no-reboot")
        server.settimeout(60)
        connection, _ = server.accept()
        connection.settimeout(300)
        stream = connection.makefile("rb")
        while True:
            length, = struct.unpack(">I", stream.read(4))
            frame = stream.read(length)
            if b"\x63\x82\x53\x63" in frame:
                break
        # A broadcast from our card: DHCP's discover over IPv4, UDP from port 68 to 67.
        assert frame[:6] == b"\xff" * 6
        assert frame[6:12] == bytes.fromhex("525400123456")
        assert frame[12:14] == b"\x08\x00" and frame[23] == 17
        assert frame[34:38] == struct.pack(">HH", 68, 67)
        connection.close()


def test_events_of_a_stream(start, tmp_path):
    """Somebody comes to a listening stream, and goes; and the same from the client's side."""
    start("-S", "-m", "16", "-nic", "none", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off").vnc()
    with Monitor(tmp_path / "qmp") as monitor:
        path = f"{tmp_path}/stream"
        address = {"type": "unix", "path": path}
        monitor.run("netdev_add", type="stream", id="n0", server=True, addr=address)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            assert monitor.event("NETDEV_STREAM_CONNECTED") == {"netdev-id": "n0", "addr": address}
        assert monitor.event("NETDEV_STREAM_DISCONNECTED") == {"netdev-id": "n0"}
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = {"type": "inet", "host": "127.0.0.1", "port": str(server.getsockname()[1])}
            monitor.run("netdev_add", type="stream", id="n1", server=False, addr=address)
            assert monitor.event("NETDEV_STREAM_CONNECTED") == {"netdev-id": "n1", "addr": address}
            server.accept()[0].close()
            assert monitor.event("NETDEV_STREAM_DISCONNECTED") == {"netdev-id": "n1"}


@pytest.mark.parametrize("card", CARDS)
def test_event_of_a_filter(start, tmp_path, card):
    """The card's ROM sets the filter: told once, and again only when somebody has looked."""
    start("-accel", ACCEL, "-m", "64", "-boot", "n", "-S", "-netdev", "user,id=net", "-device", f"{card},netdev=net,id=nic",
          "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off").vnc()
    with Monitor(tmp_path / "qmp") as monitor:
        assert not monitor.run("query-rx-filter", name="nic")[0]["broadcast-allowed"]
        monitor.run("cont")
        told = {"name": "nic", "path": "/machine/peripheral/nic"}
        assert monitor.event("NIC_RX_FILTER_CHANGED") == told
        deadline = time.monotonic() + 300
        while not monitor.run("query-rx-filter", name="nic")[0]["broadcast-allowed"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        # A reset closes the filter: one change, whatever else follows.
        monitor.run("stop")
        monitor.events.clear()
        monitor.run("query-rx-filter")
        monitor.run("system_reset")
        assert monitor.event("NIC_RX_FILTER_CHANGED") == told
        monitor.run("system_reset")
        assert monitor.event("RESET")
        monitor.run("query-status")
        assert "NIC_RX_FILTER_CHANGED" not in [event["event"] for event in monitor.events]


def test_a_character_device_in_the_guests_network(start, tmp_path):
    """It is the network's as long as that is there, and is closed with it if it has no name."""
    start("-S", "-m", "16", "-nic", "none", "-chardev", "null,id=c0", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off").vnc()
    with socket.create_server(("127.0.0.1", 0)) as server, Monitor(tmp_path / "qmp") as monitor:
        def names():
            return {device["label"]: device["frontend-open"] for device in monitor.run("query-chardev")}

        before = names()
        forwards = [{"str": f"tcp:10.0.2.100:{port}-{where}"} for port, where in (
            (1, "chardev:c0"), (2, f"tcp:127.0.0.1:{server.getsockname()[1]}"))]
        monitor.run("netdev_add", type="user", id="n0", guestfwd=forwards)
        assert names() == {**before, "c0": True, "guestfwd.tcp.2": True}
        connection, _ = server.accept()
        # Somebody else cannot have it.
        assert "in use" in monitor.error("netdev_add", type="user", id="n1", guestfwd=forwards[:1])
        monitor.run("netdev_del", id="n0")
        assert connection.recv(1) == b""
        assert names() == before
        monitor.run("chardev-remove", id="c0")


def test_a_descriptor_passed_to_the_monitor_is_a_cable(start, tmp_path):
    start("-S", "-m", "16", "-nic", "none", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off").vnc()
    ours, theirs = socket.socketpair()
    with ours, Monitor(tmp_path / "qmp") as monitor:
        with theirs:
            monitor.pass_descriptor("cable", theirs.fileno())
        monitor.run("netdev_add", type="socket", id="n0", fd="cable")
        ours.settimeout(60)
        # A frame that nobody takes, and then one that is none: the other side hangs up.
        ours.sendall(struct.pack(">I", 60) + bytes(60) + b"\xff\xff\xff\xff")
        assert ours.recv(1) == b""
        monitor.run("netdev_del", id="n0")
        assert "not found" in monitor.error("netdev_del", id="n0")


# Debian's, by what follows -device.
DRIVERS = {"e1000": "e1000", "pcnet": "pcnet32", "rtl8139": "8139cp", "rtl8139,chip=8139c": "8139too",
           "ne2k_pci": "ne2k-pci"}


@pytest.mark.parametrize("card", [
    card if card == "e1000" else pytest.param(card, marks=pytest.mark.slow) for card in DRIVERS])
def test_debian_uses_the_network(start, debian_disk, tmp_path, card):
    # The drivers of the older cards move every byte by themselves.
    content = os.urandom(8 << 20 if card in ("e1000", "pcnet", "rtl8139") else 1 << 20)
    server = Server(content)
    port = free_port()
    capture = tmp_path / "capture.pcap"
    guest = start(
        "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off",
        "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:7", "-device", f"{card},netdev=net,mac=52:54:00:11:22:33",
        "-object", f"filter-dump,id=dump,netdev=net,file={capture},maxlen=100",
        serial=True, seabios_log=False)
    shell = Shell(guest)
    shell.log_in()
    # The driver, the address, the link.
    name = shell.run("ls /sys/class/net | grep -v lo").strip()
    assert "52:54:00:11:22:33" in shell.run(f"cat /sys/class/net/{name}/address")
    shell.run(f"printf '[Match]\\nName={name}\\n[Network]\\nDHCP=yes\\n' > /etc/systemd/network/1.network")
    shell.run("systemctl start systemd-networkd && /lib/systemd/systemd-networkd-wait-online --ipv4 --timeout 300")
    assert "10.0.2.15/24" in shell.run(f"ip -4 addr show {name}")
    driver = shell.run(f"basename $(readlink /sys/class/net/{name}/device/driver)").strip()
    assert driver == DRIVERS[card]
    # An NE2000 cannot tell its driver of the link.
    tells_link = card != "ne2k_pci"
    if tells_link:
        assert "Link detected: yes" in shell.run(f"ethtool {name}")
    assert ", 0% packet loss" in shell.run("ping -c 3 -i 0.2 10.0.2.2")
    shell.run(f"until ip -6 addr show {name} | grep fec0 | grep -qv tentative; do sleep 0.2; done")
    assert ", 0% packet loss" in shell.run("ping -c 2 -i 0.2 fec0::2")
    # The cable pulled out and plugged in again.
    with Monitor(tmp_path / "qmp") as monitor:
        monitor.run("set_link", name="net", up=False)
        shell.run(f"until ethtool {name} | grep -q 'Link detected: no'; do sleep 0.2; done" if tells_link
                  else "! ping -c 1 -W 1 10.0.2.2")
        monitor.run("set_link", name="net", up=True)
        if tells_link:
            shell.run(f"until ethtool {name} | grep -q 'Link detected: yes'; do sleep 0.2; done")
        shell.run("/lib/systemd/systemd-networkd-wait-online --ipv4 --timeout 300")
    # There and back, whole.
    get = (f"exec 3<>/dev/tcp/10.0.2.2/{server.port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; "
           "sed -u '/^\\r$/q' <&3 >/dev/null; cat <&3 > /tmp/content; exec 3<&-; sha256sum /tmp/content")
    assert hashlib.sha256(content).hexdigest() in shell.run(get)
    put = (f"exec 3<>/dev/tcp/10.0.2.2/{server.port}; printf 'PUT / HTTP/1.0\\r\\nContent-Length: {len(content)}\\r\\n\\r\\n'"
           " >&3; cat /tmp/content >&3; head -1 <&3; exec 3<&-")
    assert "201" in shell.run(put)
    assert server.taken == content
    frames = list(read_capture(capture))
    assert any(frame[12:14] == b"\x08\x06" for frame in frames), "ARP"
    assert any(frame[6:12] == bytes.fromhex("525400112233") and len(frame) == 100 for frame in frames)
    # Into the guest.
    shell.run("systemd-run systemd-socket-activate -l 7 -a --inetd cat >/dev/null 2>&1; sleep 2")
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(b"echo\n" * 1000)
        received = b""
        while len(received) < 5000:
            received += connection.recv(65536)
    assert received == b"echo\n" * 1000
    # Out and in with the driver, and on it goes.
    shell.run(f"modprobe -r {driver} && modprobe {driver} && sleep 1 && ip link set {name} up")
    shell.run("/lib/systemd/systemd-networkd-wait-online --ipv4 --timeout 300")
    assert ", 0% packet loss" in shell.run("ping -c 3 -i 0.2 -w 60 10.0.2.2")
