# SPDX-License-Identifier: GPL-2.0-or-later
"""A tap that a helper makes in a bridge, and one that is deleted, in a network namespace of its own."""

import os
import pathlib
import subprocess
import sys
import time

import pytest
from guests import ACCEL, needs_engine
from network_peers import Monitor, Namespace

pytestmark = needs_engine

# What QEMU's helper does: a tap in the bridge, handed over by the socket.
HELPER = """#!{python}
import array, fcntl, re, socket, struct, subprocess, sys
number, bridge = re.fullmatch("--use-vnet --fd=([0-9]+) --br=(.*)", " ".join(sys.argv[1:])).groups()
tap = open("/dev/net/tun", "r+b", buffering=0)
name = fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"tap%d", 0x5002))[:16].rstrip(b"\\0").decode()
for command in ["master " + bridge, "up"]:
    subprocess.run(["ip", "link", "set", name, *command.split()], check=True)
end = socket.socket(fileno=int(number))
end.sendmsg([b"\\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tap.fileno()]))])
"""

# Waits on the bridge for a frame of the card's.
LISTENER = """
import socket
bridge = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
bridge.bind(("br0", 0))
print("ready", flush=True)
while bridge.recv(2048)[6:12] != bytes.fromhex("525400123456"):
    pass
print("seen", flush=True)
"""


@pytest.fixture
def namespace():
    if os.geteuid() != 0:
        pytest.skip("making a bridge takes root")
    namespace = Namespace()
    try:
        namespace.run("ip link add br0 type bridge")
        namespace.run("ip link set br0 up")
        yield namespace
    finally:
        namespace.close()


@pytest.mark.parametrize("spelling", ["bridge", "tap"])
def test_a_helper_makes_the_tap(start, namespace, tmp_path, spelling):
    helper = tmp_path / "helper"
    helper.write_text(HELPER.format(python=sys.executable))
    helper.chmod(0o755)
    listener = namespace.start(sys.executable, "-c", LISTENER, stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout.readline() == "ready\n"
        start("-accel", ACCEL, "-m", "64", "-boot", "n", "-nic", f"{spelling},id=net,br=br0,helper={helper}",
              "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off", prefix=namespace.prefix)
        # The card's ROM asks for an address.
        assert listener.stdout.readline() == "seen\n"
    finally:
        listener.kill()
        listener.communicate()
    with Monitor(tmp_path / "qmp") as monitor:
        assert f"helper={helper},br=br0" in monitor.run("human-monitor-command", **{"command-line": "info network"})


@pytest.mark.parametrize("script, message", [
    ("exit 1", "ended with status 1"), ("exit 0", "made no device for the bridge 'br0'")])
def test_a_helper_that_fails(tmp_path, start, script, message):
    helper = tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)
    guest = start("-nic", f"bridge,helper={helper}", vnc=False)
    assert guest.wait() == 1
    assert message in guest.text(guest.errors)


def test_a_tap_that_is_deleted_costs_nothing(start, namespace):
    namespace.run("ip tuntap add tap0 mode tap")
    namespace.run("ip link set tap0 up")
    guest = start("-accel", ACCEL, "-m", "16", "-S", "-nic", "tap,id=n0,ifname=tap0,script=no,downscript=no",
                  seabios_log=False, prefix=namespace.prefix)
    deadline = time.monotonic() + 30
    while "LOWER_UP" not in namespace.run("ip link show tap0"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    namespace.run("ip link del tap0")
    guest.wait_for("the tap device 'tap0' is gone", guest.errors)

    def seconds_used():
        fields = pathlib.Path(f"/proc/{guest.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    before = seconds_used()
    time.sleep(2)
    # A loop that spins takes both.
    assert seconds_used() - before < 0.5
