# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards and networks, with the option ROMs and drivers of real guests."""

import hashlib
import http.server
import json
import os
import shutil
import socket
import struct
import threading

import pytest
from guests import ACCEL, Shell, needs_engine

pytestmark = needs_engine

CARDS = ["e1000", "pcnet", "rtl8139", "ne2k_pci"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


class Server(http.server.ThreadingHTTPServer):
    """Hands out `content`, and takes what is put."""

    def __init__(self, content):
        self.content = content
        self.taken = None
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", len(self.server.content))
        self.end_headers()
        self.wfile.write(self.server.content)

    def do_PUT(self):
        self.server.taken = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Monitor:
    """A QMP client that does one command after the other."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rw")
        self.stream.readline()
        self.events = []
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while "event" in (answer := json.loads(self.stream.readline())):
            self.events.append(answer)
        assert "return" in answer, answer
        return answer["return"]

    def event(self, name):
        """The data of the next event of that name; others are passed by."""
        while True:
            event = self.events.pop(0) if self.events else json.loads(self.stream.readline())
            if event.get("event") == name:
                return event.get("data")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stream.close()
        self.socket.close()


def read_capture(path):
    """The frames of a file in libpcap's format."""
    data = path.read_bytes()
    magic, _, _, _, _, _, link = struct.unpack("=IHHiIII", data[:24])
    assert (magic, link) == (0xA1B2C3D4, 1)
    position = 24
    while position < len(data):
        _, _, kept, length = struct.unpack("=IIII", data[position:position + 16])
        assert kept == min(length, 100)
        yield data[position + 16:position + 16 + kept]
        position += 16 + kept


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
