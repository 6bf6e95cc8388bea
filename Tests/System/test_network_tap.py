# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian guest on a tap in a network namespace of its own, and in it by SSH over a user network."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest
from guests import ACCEL, Shell, needs_engine
from network_peers import Namespace

pytestmark = [needs_engine, pytest.mark.slow]

# Serves the file, or takes one, and says its checksum: every connection in a thread of its own.
SERVER = """
import hashlib, http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            data = self.rfile.read(min(left, 1 << 16))
            digest.update(data)
            left -= len(data)
        self.send_response(201)
        self.end_headers()
        self.wfile.write(digest.hexdigest().encode())
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("192.0.2.1", 8000), Handler).serve_forever()
"""

# Asks in VLAN 5 who has 198.51.100.2, and prints who answers.
ASKER = """
import socket
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
tap.bind(("tap0", 0))
tap.settimeout(20)
own = tap.getsockname()[4]
question = b"\\0\\1\\x08\\0\\6\\4\\0\\1" + own + bytes([198, 51, 100, 1]) + bytes(6) + bytes([198, 51, 100, 2])
tap.send(b"\\xff" * 6 + own + b"\\x81\\0\\0\\5" + b"\\x08\\6" + question + bytes(18))
while True:
    frame = tap.recv(2048)
    if frame[:6] == own and bytes([198, 51, 100, 2]) + own in frame:
        print(frame[6:12].hex(":"))
        break
"""


def compare_captures(inside, outside):
    """The card's capture begins with what was seen at the tap, in the same order each way."""

    def read(path, *options):
        fields = ["eth.src", "ip.src", "ip.id", "ip.len", "icmp.seq", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.checksum"]
        listing = subprocess.run(
            ["tshark", "-n", "-r", path, "-Y", "icmp or tcp.port == 8000", "-o", "tcp.check_checksum:TRUE", "-T", "fields",
             *(part for field in [*fields, "tcp.checksum.status"] for part in ("-e", field)), *options],
            check=True, capture_output=True, text=True, timeout=600).stdout
        frames = {"192.0.2.1": [], "192.0.2.2": []}
        for line in listing.splitlines():
            *frame, status = line.split("\t")
            # 1 is "good".
            assert status in ("", "1"), line
            frames[frame[1]].append(frame)
        return frames

    outer = read(outside)
    count = sum(map(len, outer.values()))
    inner = read(inside, "-c", str(count + 1000))
    for source, frames in outer.items():
        assert len(frames) > 100 and inner[source][:len(frames)] == frames


@pytest.fixture
def namespace():
    if os.geteuid() != 0:
        pytest.skip("making a tap takes root")
    namespace = Namespace()
    try:
        for command in ["link set lo up", "tuntap add tap0 mode tap", "link set tap0 up",
                        "addr add 192.0.2.1/24 dev tap0"]:
            namespace.run(f"ip {command}")
        yield namespace
    finally:
        namespace.close()


@pytest.fixture
def server(namespace, tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file").write_bytes(os.urandom(1 << 20) * 100)
    (folder / "part").write_bytes(os.urandom(1 << 20) * 10)
    process = namespace.start(sys.executable, "-c", SERVER, cwd=folder)
    yield folder
    process.kill()
    process.wait()


def test_debian_on_a_tap(start, namespace, server, debian_disk, tmp_path):
    capture = tmp_path / "capture.pcap"
    guest = start(
        "-accel", ACCEL, debian_disk, "-snapshot", "-m", "512",
        "-netdev", "tap,id=tap,ifname=tap0,script=no,downscript=no",
        "-device", "e1000,netdev=tap,mac=52:54:00:11:22:33", "-object", f"filter-dump,id=dump,netdev=tap,file={capture}",
        "-netdev", "user,id=user,hostfwd=tcp:127.0.0.1:2222-:22", "-device", "rtl8139,netdev=user",
        serial=True, seabios_log=False, prefix=namespace.prefix)
    shell = Shell(guest)
    shell.log_in()
    card, other = (shell.run(f"grep -il {address} /sys/class/net/e*/address").split("/")[4]
                   for address in ("52:54:00:11:22:33", "52:54:00:12:34:5"))
    shell.run(f"ip link set {card} up && ip addr add 192.0.2.2/24 dev {card}")
    outside = tmp_path / "outside.pcap"
    watcher = namespace.start("tcpdump", "-i", "tap0", "-B", "65536", "-U", "-w", outside, "icmp or tcp port 8000",
                              stderr=subprocess.PIPE, text=True)
    while "listening on" not in watcher.stderr.readline():
        assert watcher.poll() is None
    assert ", 0% packet loss" in shell.run("ping -c 3 -i 0.2 -w 60 192.0.2.1")

    # 100 MB in, then four connections at once, and 100 MB out, whole; seen by tcpdump in the guest.
    def get(name):
        return (f"(exec 3<>/dev/tcp/192.0.2.1/8000; printf 'GET /{name} HTTP/1.0\\r\\n\\r\\n' >&3; "
                "sed -u '/^\\r$/q' <&3 >/dev/null; sha256sum <&3)")

    def checksum(name):
        return hashlib.sha256((server / name).read_bytes()).hexdigest()

    assert checksum("part") in shell.run(get("part"))
    watcher.terminate()
    watcher.wait()
    compare_captures(capture, outside)
    shell.run(f"tcpdump -i {card} -c 200 -w /tmp/seen.pcap tcp port 8000 2>/dev/null & sleep 2")
    assert checksum("file") in shell.run(get("file"))
    assert shell.run(f"for n in 1 2 3 4; do {get('part')} & done; wait").count(checksum("part")) == 4
    assert "192.0.2.1.8000" in shell.run("tcpdump -nr /tmp/seen.pcap 2>/dev/null | head -5")
    put = ("exec 3<>/dev/tcp/192.0.2.1/8000; printf 'PUT /x HTTP/1.0\\r\\nContent-Length: 104857600\\r\\n\\r\\n' >&3; "
           "head -c 104857600 /dev/zero >&3; cat <&3")
    assert hashlib.sha256(bytes(104857600)).hexdigest() in shell.run(f"({put})")

    # A VLAN, a group, and frames that are for others.
    shell.run(f"ip link add link {card} name vlan5 type vlan id 5 && ip link set vlan5 up"
              " && ip addr add 198.51.100.2/24 dev vlan5")
    asker = [*namespace.prefix, sys.executable, "-c", ASKER]
    assert subprocess.run(asker, capture_output=True, text=True, timeout=60).stdout.strip() == "52:54:00:11:22:33"
    shell.run("sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0")
    assert "192.0.2.2" in namespace.run("ping -c 2 -I tap0 224.0.0.1")
    shell.run(f"(timeout 60 tcpdump -i {card} -c 1 ether dst 52:54:00:99:99:99 > /tmp/foreign 2>/dev/null; "
              "touch /tmp/foreign-done) & sleep 3")
    namespace.run("ip neigh replace 192.0.2.9 lladdr 52:54:00:99:99:99 dev tap0")
    subprocess.run([*namespace.prefix, "ping", "-c", "3", "-i", "0.3", "192.0.2.9"], capture_output=True)
    assert "192.0.2.9" in shell.run("until [ -e /tmp/foreign-done ]; do sleep 0.2; done; cat /tmp/foreign")

    # The driver taken out and put in again while data flows.
    shell.run(f"({get('file')} > /dev/null 2>&1 &); sleep 1; modprobe -r e1000 && modprobe e1000 && sleep 2")
    shell.run(f"ip link set {card} up && (ip addr add 192.0.2.2/24 dev {card} || true)")
    assert ", 0% packet loss" in shell.run("ping -c 3 -i 0.2 -w 60 192.0.2.1")

    # Into the guest by SSH, through the user network.
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    shell.run(f"mkdir -p -m 700 /root/.ssh && echo '{key.with_suffix('.pub').read_text().strip()}'"
              " > /root/.ssh/authorized_keys && mkdir -p /etc/dropbear && dropbear -R")
    shell.run(f"ip link set {other} up && ip addr add 10.0.2.15/24 dev {other}")
    ssh = ["ssh", "-i", key, "-p", "2222", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/known",
           "-o", "ConnectTimeout=120", "root@127.0.0.1"]
    answer = subprocess.run([*namespace.prefix, *ssh, "hostname; head -c 3000000 /dev/zero | sha256sum"],
                            capture_output=True, text=True, timeout=300)
    assert answer.stdout.split()[:2] == ["martlet", hashlib.sha256(bytes(3000000)).hexdigest()], answer.stderr

    # The capture can be read, and has what went over the wire.
    if reader := shutil.which("tcpdump"):
        listing = subprocess.run([reader, "-nr", capture], capture_output=True, text=True).stdout
        assert "192.0.2.2" in listing and "vlan 5" in subprocess.run(
            [reader, "-nner", capture, "-c", "20", "vlan"], capture_output=True, text=True).stdout
