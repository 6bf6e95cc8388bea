# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP: images with names, descriptors that come over the socket, crashes that guests report, and the programs that
people use at the other end."""

import array
import json
import os
import shutil
import socket
import subprocess
import sysconfig

import pytest
from test_qmp import Client, machine  # noqa: F401 (a fixture)


def pass_descriptor(client, descriptor, command, **arguments):
    """A command with a descriptor."""
    message = json.dumps({"execute": command, "arguments": {name.replace("_", "-"): value for name, value in
                                                             arguments.items()}}).encode() + b"\n"
    rights = array.array("i", [descriptor])
    client.socket.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    answer = client.answer()
    assert "return" in answer, answer
    return answer["return"]


def test_a_disc_is_exchanged_as_libvirt_does(machine, tmp_path, grub_cd):
    node = lambda name, **more: ["-blockdev", json.dumps({"node-name": name, "read-only": True, **more})]
    _, client = machine(
        "-S", *node("old-file", driver="file", filename=str(grub_cd)), *node("old", driver="raw", file="old-file"),
        "-device", "ide-cd,bus=ide.1,unit=0,drive=old,id=cd0")
    other = tmp_path / "other.iso"
    other.write_bytes(bytes(65536))
    assert client.do("query-block")[0]["inserted"]["node-name"] == "old"
    client.do("blockdev-open-tray", id="cd0", force=True)
    assert client.wait_for("DEVICE_TRAY_MOVED")["data"]["id"] == "cd0"
    client.do("blockdev-remove-medium", id="cd0")
    client.do("blockdev-del", node_name="old")
    client.do("blockdev-del", node_name="old-file")
    assert client.do("query-named-block-nodes") == []
    client.do("blockdev-add", driver="file", filename=str(other), node_name="new-file", read_only=True)
    client.do("blockdev-add", driver="raw", file="new-file", node_name="new", read_only=True)
    client.do("blockdev-insert-medium", id="cd0", node_name="new")
    client.do("blockdev-close-tray", id="cd0")
    inserted = client.do("query-block")[0]["inserted"]
    assert inserted["node-name"] == "new" and inserted["image"]["virtual-size"] == 65536


def test_a_stick_comes_and_goes_on_a_node(machine, tmp_path):
    (tmp_path / "stick.img").write_bytes(bytes(1 << 20))
    node = lambda name: {"driver": "raw", "node-name": name, "file": {"driver": "file", "filename": str(tmp_path / "stick.img")}}
    guest, client = machine("-S", "-device", "qemu-xhci", "-blockdev", json.dumps(node("first")))
    before = len(descriptors_of(guest))
    client.do("device_add", driver="usb-storage", drive="first", id="stick")
    assert [drive["qdev"] for drive in client.do("query-block") if drive["inserted"]["node-name"] == "first"] == ["stick"]
    client.do("device_del", id="stick")
    assert client.wait_for("DEVICE_DELETED")["data"]["device"] == "stick"
    client.do("blockdev-del", node_name="first")
    assert len(descriptors_of(guest)) < before
    client.do("blockdev-add", **{key.replace("-", "_"): value for key, value in node("second").items()})
    client.do("device_add", driver="usb-storage", drive="second", id="stick")
    client.do("device_del", id="stick")
    client.do("blockdev-del", node_name="second")


def test_images_come_over_the_socket(machine, tmp_path):
    _, client = machine("-S", "-device", "ide-cd,id=cd0")
    disc = tmp_path / "disc.iso"
    disc.write_bytes(bytes(4096))
    with open(disc, "rb") as file:
        added = pass_descriptor(client, file.fileno(), "add-fd", fdset_id=7, opaque="rdonly:disc")
    # The process has its own; nobody needs the file's name any more.
    disc.unlink()
    assert added["fdset-id"] == 7
    assert client.do("query-fdsets") == [{"fdset-id": 7, "fds": [{"fd": added["fd"], "opaque": "rdonly:disc"}]}]
    client.do("blockdev-add", driver="file", filename="/dev/fdset/7", node_name="d", read_only=True)
    client.do("remove-fd", fdset_id=7)
    assert client.do("query-fdsets") == []
    client.do("blockdev-open-tray", id="cd0")
    client.do("blockdev-insert-medium", id="cd0", node_name="d")
    assert client.do("query-block")[0]["inserted"]["image"]["virtual-size"] == 4096


def descriptors_of(guest):
    return os.listdir(f"/proc/{guest.process.pid}/fd")


def test_what_is_not_taken_is_closed(machine, tmp_path):
    guest, client = machine("-S")
    before = len(descriptors_of(guest))
    ends = socket.socketpair()
    for _ in range(40):
        # Commands that do not want them, and several at once.
        rights = array.array("i", [ends[0].fileno()] * 16)
        client.socket.sendmsg([b'{"execute":"query-name"}\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        assert "return" in client.answer()
    for number in range(300):
        rights = array.array("i", [ends[0].fileno()])
        text = json.dumps({"execute": "getfd", "arguments": {"fdname": f"n{number}"}}).encode()
        client.socket.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        answer = client.answer()
        assert ("return" in answer) == (number < 256), (number, answer)
    for number in range(256):
        client.do("closefd", fdname=f"n{number}")
    pass_descriptor(client, ends[0].fileno(), "query-name")
    client.close()
    again = Client(tmp_path / "qmp.sock")
    again.do("qmp_capabilities")
    assert len(descriptors_of(guest)) <= before


def test_a_line_on_a_socket_that_was_passed(machine):
    guest, client = machine("-S")
    ours, theirs = socket.socketpair()
    pass_descriptor(client, theirs.fileno(), "getfd", fdname="line")
    theirs.close()
    address = {"type": "fd", "data": {"str": "line"}}
    client.do("chardev-add", id="c", backend={"type": "socket", "data": {"addr": address, "server": False}})
    client.do("chardev-remove", id="c")
    ours.settimeout(10)
    assert ours.recv(1) == b""


def test_a_disk_that_was_passed_at_the_start(start, assemble, tmp_path):
    image = tmp_path / "disk.img"
    image.write_bytes(assemble("boot-sectors/soft-off.asm", size=1 << 20).read_bytes())
    with open(image, "r+b") as file:
        # The shell opens it once more, for what it starts.
        place = f"/proc/{os.getpid()}/fd/{file.fileno()}"
        guest = start(
            "-drive", "file=/dev/fdset/2,format=raw", "-add-fd", "fd=9,set=2,opaque=disk",
            prefix=["bash", "-c", f'exec 9<>{place}; exec "$0" "$@"'])
        assert guest.wait(60) == 0


@pytest.mark.parametrize("arguments, action, status", [
    ((), "poweroff", 0), (("-action", "panic=exit-failure"), "poweroff", 1), (("-action", "panic=pause"), "pause", None),
    (("-no-shutdown",), "pause", None), (("-action", "panic=none"), "run", None),
])
def test_a_crash_is_told(machine, assemble, arguments, action, status):
    guest, client = machine(assemble("boot-sectors/panic.asm", size=1 << 20), "-S", "-device", "pvpanic", *arguments)
    client.do("cont")
    assert client.wait_for("GUEST_CRASHLOADED")["data"] == {"action": "run"}
    assert client.wait_for("GUEST_PANICKED")["data"] == {"action": action}
    if status is not None:
        assert client.wait_for("SHUTDOWN")["data"] == {"guest": True, "reason": "guest-panic"}
        assert guest.wait(20) == status
        return
    if action == "pause":
        client.wait_for("STOP")
        assert client.do("query-status") == {"status": "guest-panicked", "singlestep": False, "running": False}
        client.do("cont")
    guest.wait_for("events 3\nalive")
    assert client.do("query-status")["running"]
    # What it leads to can be changed.
    client.do("set-action", panic="pause", shutdown="poweroff")
    client.do("send-key", keys=[{"type": "qcode", "data": "a"}])
    assert client.wait_for("GUEST_PANICKED")["data"] == {"action": "pause"}
    client.do("system_reset")
    client.wait_for("RESET")
    client.do("set-action", panic="exit-failure")
    client.do("cont")
    assert guest.wait(60) == 1


def test_qemus_own_shell(start, machine, tmp_path):
    shell = shutil.which("qmp-shell", path=sysconfig.get_path("scripts"))
    if not shell:
        pytest.skip("needs qmp-shell of qemu.qmp")
    _, client = machine("-S", "-name", "fred")
    client.close()
    lines = "query-name\nquery-status\nnonsense\nsend-key keys=[{'type':'qcode','data':'a'}]\n"
    done = subprocess.run([shell, tmp_path / "qmp.sock"], input=lines, capture_output=True, text=True, timeout=60)
    assert "Connected to QEMU 7.2.0" in done.stdout
    assert "{'return': {'name': 'fred'}}" in done.stdout.replace('"', "'")
    assert "prelaunch" in done.stdout and "nonsense has not been found" in done.stdout
    assert done.returncode == 0, done.stderr


def test_socat(machine, tmp_path):
    if not shutil.which("socat"):
        pytest.skip("needs socat")
    _, client = machine("-S", "-name", "fred", "-monitor", f"unix:{tmp_path}/human,server=on,wait=off")
    client.close()
    talk = lambda path, text: subprocess.run(
        ["socat", "-t5", "-", f"UNIX-CONNECT:{path}"], input=text, capture_output=True, text=True, timeout=60,
        check=True).stdout
    said = talk(tmp_path / "qmp.sock", '{"execute":"qmp_capabilities"}\n{"execute":"query-name"}\n')
    messages = [json.loads(line) for line in said.splitlines()]
    assert "QMP" in messages[0] and messages[1:] == [{"return": {}}, {"return": {"name": "fred"}}]
    assert "VM status: paused (prelaunch)" in talk(tmp_path / "human", "info status\n")


def test_the_screen_moves(machine, tmp_path):
    from vncdotool import api

    guest, client = machine("-S")
    viewer = guest.vnc()
    # Now it is connected.
    viewer.refreshScreen()
    places = [{"type": "unix", "path": str(tmp_path / "other")},
              {"type": "inet", "host": "127.0.0.1", "port": "0"}]
    client.do("display-update", type="vnc", addresses=places)
    assert not guest.vnc_path.exists()
    servers = client.do("query-vnc-servers")[0]["server"]
    assert [(server["family"], server["host"]) for server in servers] == [("unix", ""), ("ipv4", "127.0.0.1")]
    assert servers[0]["service"] == str(tmp_path / "other") and int(servers[1]["service"]) > 0
    # Who is connected stays, and who comes finds it.
    viewer.refreshScreen()
    viewer.disconnect()
    other = api.connect(str(tmp_path / "other"), timeout=60)
    other.refreshScreen()
    other.disconnect()
    # What cannot be had changes nothing.
    wrong = client.ask("display-update", type="vnc", addresses=[{"type": "unix", "path": "/nonexistent/x"}])
    assert "error" in wrong
    assert len(client.do("query-vnc-servers")[0]["server"]) == 2
