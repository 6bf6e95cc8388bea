# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian guests on networks: names, pauses under load, character devices, two guests on one cable."""

import hashlib
import os
import socket
import subprocess
import sys
import time

import pytest
from guests import ACCEL, Shell, needs_engine
from network_peers import Monitor, Namespace, Server, free_port

pytestmark = [needs_engine, pytest.mark.slow]

# A name server on port 53 of loopback that knows one name, over UDP, TCP and IPv6.
NAME_SERVER = """
import socket, socketserver, threading
NAME = b"\\6guests\\7example\\0"
def answer(question):
    found = question[12:12 + len(NAME)].lower() == NAME
    kind = question[12 + len(NAME):14 + len(NAME)] if found else b""
    records = {b"\\0\\1": socket.inet_aton("198.51.100.7"),
               b"\\0\\x1c": socket.inet_pton(socket.AF_INET6, "2001:db8::7")}
    record = records.get(kind)
    header = question[:2] + (b"\\x81\\x80" if found else b"\\x81\\x83") + b"\\0\\1" + (b"\\0\\1" if record else b"\\0\\0") + bytes(4)
    end = question.index(b"\\0", 12) + 5
    tail = b"\\xc0\\x0c" + kind + b"\\0\\1\\0\\0\\0\\x3c" + len(record).to_bytes(2, "big") + record if record else b""
    return header + question[12:end] + tail
class UDP(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(answer(self.request[0]), self.client_address)
class TCP(socketserver.StreamRequestHandler):
    def handle(self):
        while length := self.rfile.read(2):
            data = answer(self.rfile.read(int.from_bytes(length, "big")))
            self.wfile.write(len(data).to_bytes(2, "big") + data)
udp = socketserver.UDPServer(("127.0.0.1", 53), UDP)
tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 53), TCP)
class UDP6(socketserver.UDPServer):
    address_family = socket.AF_INET6
for server in tcp, UDP6(("::1", 53), UDP):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
udp.serve_forever()
"""


def card_name(shell, address):
    return shell.run(f"grep -il {address} /sys/class/net/e*/address").split("/")[4]


def fetch(port, host="10.0.2.2"):
    """A command that gets all that a web server has and shows its checksum."""
    return (f"(exec 3<>/dev/tcp/{host}/{port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; "
            "sed -u '/^\\r$/q' <&3 >/dev/null; sha256sum <&3)")


def test_names_are_looked_up_by_the_hosts_server(start, debian_disk, tmp_path):
    """libslirp asks the server that the host's resolv.conf names: here one that only this test's guest sees."""
    if os.geteuid() != 0:
        pytest.skip("a resolv.conf of the guest's own takes root")
    namespace = Namespace()
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\nnameserver ::1\n")
    server = None
    try:
        namespace.run("ip link set lo up")
        server = namespace.start(sys.executable, "-c", NAME_SERVER, stdout=subprocess.PIPE)
        assert server.stdout.readline() == b"ready\n"
        mount = f'mount --bind {resolv} "$(realpath /etc/resolv.conf)" && exec "$@"'
        guest = start(
            "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512", "-nic", "user,model=e1000",
            serial=True, seabios_log=False, prefix=[*namespace.prefix, "unshare", "-m", "sh", "-c", mount, "sh"])
        shell = Shell(guest)
        shell.log_in()
        name = card_name(shell, "52:54:00:12:34:56")
        shell.run(f"ip link set {name} up && ip addr add 10.0.2.15/24 dev {name} && ip route add default via 10.0.2.2")
        shell.run(f"ip -6 addr add fec0::15/64 dev {name} nodad")
        for server_address, options in ("10.0.2.3", ""), ("10.0.2.3", "options use-vc\\n"), ("fec0::3", ""):
            shell.run(f"printf 'nameserver {server_address}\\n{options}' > /etc/resolv.conf")
            assert "198.51.100.7" in shell.run("getent ahostsv4 guests.example")
            assert "2001:db8::7" in shell.run("getent ahostsv6 guests.example")
            shell.run("getent hosts nobody.example", status=2)
    finally:
        if server:
            server.kill()
            server.wait()
        namespace.close()


def test_a_user_network_under_load(start, debian_disk, tmp_path):
    """100 MB each way, several connections at once, stop and cont under way, and a character device in the guest's network."""
    server = Server(os.urandom(1 << 20) * 100)
    small = Server(os.urandom(10 << 20))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        guest = start(
            "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off",
            "-chardev", f"socket,id=service,host=127.0.0.1,port={listener.getsockname()[1]}",
            "-nic", "user,model=e1000,ipv6=off,guestfwd=tcp:10.0.2.100:1234-chardev:service", serial=True,
            seabios_log=False)
        service, _ = listener.accept()
    shell = Shell(guest)
    shell.log_in()
    name = card_name(shell, "52:54:00:12:34:56")
    shell.run(f"ip link set {name} up && ip addr add 10.0.2.15/24 dev {name}")

    # Both ways through the character device, more than anybody's buffers hold.
    content = os.urandom(3 << 20)
    shell.serial.send("(exec 3<>/dev/tcp/10.0.2.100/1234; echo here >&3; "
                      f"head -c {len(content)} <&3 | tee /tmp/content | sha256sum; cat /tmp/content >&3); echo fetch''ed\r")
    service.settimeout(600)
    assert service.recv(5) == b"here\n"
    service.sendall(content)
    assert hashlib.sha256(content).hexdigest() in shell.serial.expect(r"(?s)(.*?)fetched\n", 600)[1]
    # Read slowly at first: the guest has to wait.
    time.sleep(2)
    received = bytearray()
    while len(received) < len(content):
        received += service.recv(1 << 16)
    assert received == content
    service.close()

    shell.serial.send(fetch(server.port) + "; echo fetch''ed\r")
    with Monitor(tmp_path / "qmp") as monitor:
        received = 0
        for pause in range(6):
            # Data has flowed since the last one.
            deadline = time.monotonic() + 300
            while (now := frames_received(monitor)) < received + 500 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert now >= received + 500
            monitor.run("stop")
            stopped = frames_received(monitor)
            time.sleep(0.3 * pause)
            # A guest that stands still is given nothing.
            assert frames_received(monitor) == stopped
            received = stopped
            monitor.run("cont")
    assert hashlib.sha256(server.content).hexdigest() in shell.serial.expect(r"(?s)(.*?)fetched\n", 600)[1]

    checksum = hashlib.sha256(small.content).hexdigest()
    assert shell.run(f"for n in 1 2 3 4; do {fetch(small.port)} & done; wait").count(checksum) == 4
    shell.run(f"(exec 3<>/dev/tcp/10.0.2.2/{server.port}; "
              "printf 'PUT / HTTP/1.0\\r\\nContent-Length: 104857600\\r\\n\\r\\n' >&3; "
              "(while cat /tmp/content; do :; done) 2>/dev/null | head -c 104857600 >&3; head -1 <&3)")
    sent = content * (104857600 // len(content) + 1)
    assert server.taken == sent[:104857600]


def frames_received(monitor):
    listing = monitor.run("human-monitor-command", **{"command-line": "info network"})
    return int(listing.split("received ")[1].split()[0])


def cables(tmp_path):
    """The cards of two guests on cables between them: what one has and what the other has."""
    port, first, second = free_port(), free_port(), free_port()
    return {
        "e1000": (f"socket,id=e1000,listen=127.0.0.1:{port}", f"socket,id=e1000,connect=127.0.0.1:{port}"),
        "pcnet": (f"stream,id=pcnet,server=on,addr.type=unix,addr.path={tmp_path}/cable",
                  f"stream,id=pcnet,server=off,addr.type=unix,addr.path={tmp_path}/cable"),
        "rtl8139": tuple(
            f"dgram,id=rtl8139,local.type=inet,local.host=127.0.0.1,local.port={own},"
            f"remote.type=inet,remote.host=127.0.0.1,remote.port={other}"
            for own, other in ((first, second), (second, first))),
    }


def test_two_guests_on_one_cable(start, debian_disk, tmp_path):
    """Without any of root's capabilities."""
    unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    shells = []
    kinds = cables(tmp_path)
    for end in range(2):
        options = []
        for number, (card, backends) in enumerate(kinds.items()):
            options += ["-netdev", backends[end],
                        "-device", f"{card},netdev={card},romfile=,mac=52:54:00:00:{number:02x}:{end + 1:02x}"]
        guest = start("-accel", ACCEL, debian_disk, "-snapshot", "-m", "384", *options, serial=True,
                      seabios_log=False, prefix=unprivileged)
        # The cables are there before the other end is.
        while not guest.vnc_path.exists():
            assert guest.process.poll() is None, guest.text(guest.errors)
            time.sleep(0.02)
        shells.append(Shell(guest))
    for end, shell in enumerate(shells):
        shell.log_in()
        for number in range(len(kinds)):
            name = card_name(shell, f"52:54:00:00:{number:02x}:{end + 1:02x}")
            shell.run(f"ip link set {name} up && ip addr add 192.0.{number}.{end + 1}/24 dev {name}")
        # Takes 4 MiB and says their checksum.
        shell.run("systemd-run systemd-socket-activate -l 7 -a --inetd sh -c 'head -c 4194304 | sha256sum' >/dev/null 2>&1")
        shell.run("head -c 4194304 /dev/urandom > /tmp/content; sleep 2")
    for number in range(len(kinds)):
        for end, shell in enumerate(shells):
            address = f"192.0.{number}.{2 - end}"
            assert ", 0% packet loss" in shell.run(f"ping -c 3 -i 0.2 -w 60 {address}")
            checksum = shell.run("sha256sum < /tmp/content")
            assert checksum == shell.run(f"(exec 3<>/dev/tcp/{address}/7; cat /tmp/content >&3; cat <&3)")
