# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP as toolstacks use it: with QEMU's own Python client, over sockets, by several clients at once."""

import asyncio
import json
import os
import pathlib
import socket
import subprocess
import time

import pytest
from conftest import MARTLET

BOTH_ENGINES = True


class Client:
    """A plain client, for what a polite one would not say."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        self.socket.settimeout(30)
        self.file = self.socket.makefile("rwb")
        self.events = []
        self.greeting = self.receive()

    def receive(self):
        line = self.file.readline()
        assert line, "the monitor hung up"
        return json.loads(line)

    def send(self, text):
        self.file.write(text if isinstance(text, bytes) else text.encode())
        self.file.flush()

    def answer(self):
        while True:
            message = self.receive()
            if "event" not in message:
                return message
            self.events.append(message)

    def ask(self, command, **arguments):
        names = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.send(json.dumps({"execute": command, "arguments": names}))
        return self.answer()

    def do(self, command, **arguments):
        answer = self.ask(command, **arguments)
        assert "return" in answer, answer
        return answer["return"]

    def wait_for(self, name):
        while True:
            for event in self.events:
                if event["event"] == name:
                    self.events.remove(event)
                    return event
            message = self.receive()
            assert "event" in message, message
            self.events.append(message)

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def machine(start, tmp_path):
    """Starts a machine with QMP, and gives it and a client that has negotiated."""

    def make(*arguments, **more):
        path = tmp_path / "qmp.sock"
        guest = start(*arguments, "-m", "64", "-qmp", f"unix:{path},server=on,wait=off", **more)
        client = Client(path)
        client.do("qmp_capabilities")
        return guest, client

    return make


def test_the_conversation(machine, tmp_path):
    guest, client = machine("-name", "fred", "-uuid", "12345678-1234-1234-1234-123456789abc")
    assert client.greeting["QMP"]["version"]["qemu"]["major"] == 7
    assert client.do("query-name") == {"name": "fred"}
    assert client.do("query-uuid") == {"UUID": "12345678-1234-1234-1234-123456789abc"}
    client.send('{"execute": "query-status", "id": {"a": [1, "x"]}}')
    answer = client.answer()
    assert answer["id"] == {"a": [1, "x"]} and answer["return"]["status"] == "running"
    # Errors, in QEMU's words, with the id.
    for message, kind, words in [
        ('{"execute": "nonsense", "id": 1}', "CommandNotFound", "The command nonsense has not been found"),
        ('{"id": 1}', "GenericError", "QMP input lacks member 'execute'"),
        ('{"execute": "query-status", "arguments": {"x": 1}, "id": 1}', "GenericError", "'x' is unexpected"),
        ('{"execute": "qom-get", "arguments": {"path": "/"}, "id": 1}', "GenericError", "'property' is missing"),
        ('{"execute": "qom-get", "arguments": {"path": 1, "property": "x"}, "id": 1}', "GenericError",
         "Invalid parameter type for 'path', expected: string"),
        ('{"execute": "qmp_capabilities", "id": 1}', "CommandNotFound", "already complete"),
        ('{"execute": 5, "id": 1}', "GenericError", "must be a string"),
        ('{"execute": "stop", "what": 5, "id": 1}', "GenericError", "'what' is unexpected"),
    ]:
        client.send(message)
        answer = client.answer()
        assert answer["error"]["class"] == kind and words in answer["error"]["desc"], answer
        assert answer["id"] == 1
    # Pieces, and several at once.
    for character in '{"execute":"query-kvm"}':
        client.send(character)
    assert "enabled" in client.answer()["return"]
    client.send('{"execute":"query-name"}{"execute":"query-target"}\n[1]')
    assert client.answer()["return"] == {"name": "fred"}
    assert client.answer()["return"] == {"arch": "x86_64"}
    assert "must be a JSON object" in client.answer()["error"]["desc"]
    # What is no JSON costs an error, not the connection.
    client.send(b'{"execute": \xff}\n{"execute":"query-target"}\n')
    assert "Invalid JSON syntax" in client.answer()["error"]["desc"]
    assert client.answer()["return"] == {"arch": "x86_64"}
    # Nothing before the negotiation.
    client.close()
    other = Client(tmp_path / "qmp.sock")
    answer = other.ask("query-status")
    assert answer["error"]["class"] == "CommandNotFound" and "qmp_capabilities" in answer["error"]["desc"]
    other.do("qmp_capabilities", enable=["oob"])
    other.send('{"exec-oob": "query-status"}')
    assert "does not support OOB" in other.answer()["error"]["desc"]
    other.do("quit")
    assert other.wait_for("SHUTDOWN")["data"] == {"guest": False, "reason": "host-qmp-quit"}
    assert guest.wait(20) == 0
    assert not (tmp_path / "qmp.sock").exists()


def test_the_schema_describes_what_is_there(machine):
    _, client = machine("-S")
    commands = {entry["name"] for entry in client.do("query-commands")}
    schema = client.do("query-qmp-schema")
    assert commands == {entry["name"] for entry in schema if entry["meta-type"] == "command"}
    by_name = {entry["name"]: entry for entry in schema}
    # Every query that needs no arguments is answered with what the schema says.
    def fits(value, name):
        entry = by_name[name]
        kind = entry["meta-type"]
        if kind == "builtin":
            return {"string": str, "int": int, "boolean": bool, "number": (int, float), "null": type(None),
                    "value": object}[entry["json-type"]] and isinstance(
                value, {"string": str, "int": int, "boolean": bool, "number": (int, float), "null": type(None),
                        "value": object}[entry["json-type"]])
        if kind == "enum":
            return value in entry["values"]
        if kind == "array":
            return isinstance(value, list) and all(fits(element, entry["element-type"]) for element in value)
        if kind == "object":
            members = {member["name"]: member for member in entry["members"]}
            missing = [name for name, member in members.items() if "default" not in member and name not in value]
            return not missing and all(key in members and fits(element, members[key]["type"])
                                       for key, element in value.items())
        return False

    asked = 0
    for entry in schema:
        if entry["meta-type"] != "command" or not entry["name"].startswith("query-"):
            continue
        if any("default" not in member for member in by_name[entry["arg-type"]]["members"]):
            continue
        answer = client.ask(entry["name"])
        if "return" in answer:
            asked += 1
            assert fits(answer["return"], entry["ret-type"]), (entry["name"], answer)
    assert asked > 25


def test_run_states(machine, assemble):
    guest, client = machine(assemble("boot-sectors/keyboard.asm", size=1 << 20), "-S")
    status = lambda: client.do("query-status")["status"]
    assert status() == "prelaunch"
    client.do("cont")
    client.wait_for("RESUME")
    guest.wait_for("ready")
    client.do("stop")
    client.wait_for("STOP")
    assert status() == "paused"
    client.do("stop")
    client.do("cont")
    assert status() == "running"
    client.do("system_reset")
    assert client.wait_for("RESET")["data"] == {"guest": False, "reason": "host-qmp-system-reset"}
    guest.wait_for(r"ready\n[^$]*ready")
    # Keys reach the guest: this one resets it.
    client.do("send-key", keys=[{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")])
    assert client.wait_for("RESET")["data"] == {"guest": True, "reason": "guest-reset"}
    client.do("set-action", reboot="shutdown")
    guest.wait_for(r"ready\n[^$]*ready\n[^$]*ready")
    client.do("send-key", keys=[{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")])
    assert client.wait_for("SHUTDOWN")["data"] == {"guest": True, "reason": "guest-reset"}
    assert guest.wait(20) == 0


def test_pictures_and_memory(machine, tmp_path):
    from PIL import Image

    guest, client = machine()
    guest.wait_for("SeaBIOS", path=guest.seabios)
    client.do("screendump", filename=str(tmp_path / "screen.ppm"))
    client.do("screendump", filename=str(tmp_path / "screen.png"), format="png")
    client.do("stop")
    client.do("screendump", filename=str(tmp_path / "a.ppm"))
    client.do("screendump", filename=str(tmp_path / "a.png"), format="png")
    ppm, png = Image.open(tmp_path / "a.ppm"), Image.open(tmp_path / "a.png").convert("RGB")
    assert ppm.size == png.size and ppm.tobytes() == png.tobytes()
    # The reset vector, a far jump, in ROM and RAM alike.
    client.do("pmemsave", val=0xFFFFFFF0, size=16, filename=str(tmp_path / "high"))
    high = (tmp_path / "high").read_bytes()
    assert len(high) == 16 and high[0] == 0xEA
    client.do("memsave", val=0xF0000, size=65536, filename=str(tmp_path / "bios"))
    assert len((tmp_path / "bios").read_bytes()) == 65536
    assert "error" in client.ask("memsave", val=0, size=1 << 60, filename=str(tmp_path / "no"))
    assert "error" in client.ask("pmemsave", val=0, size=16, filename="/nonexistent/x")
    assert "error" in client.ask("screendump", filename="/nonexistent/x")
    client.do("dump-guest-memory", paging=False, protocol=f"file:{tmp_path}/core")
    core = (tmp_path / "core").read_bytes()
    client.do("pmemsave", val=0, size=64 << 20, filename=str(tmp_path / "ram"))
    assert core[:4] == b"\x7fELF" and len(core) > 64 << 20
    assert core[-(64 << 20):][:0xA0000] == (tmp_path / "ram").read_bytes()[:0xA0000]
    listing = subprocess.run(["readelf", "-ln", tmp_path / "core"], capture_output=True, text=True, check=True).stdout
    assert "CORE (Core file)" in listing and "NT_PRSTATUS" in listing


def test_a_disc_is_changed(machine, tmp_path, grub_cd):
    _, client = machine("-cdrom", grub_cd, "-S")
    drive = client.do("query-block")[0]
    assert drive["device"] == "ide1-cd0" and drive["removable"] and not drive["tray_open"]
    assert drive["inserted"]["image"]["filename"] == str(grub_cd)
    client.do("blockdev-open-tray", id=drive["qdev"])
    moved = client.wait_for("DEVICE_TRAY_MOVED")["data"]
    assert moved == {"device": "ide1-cd0", "id": drive["qdev"], "tray-open": True}
    client.do("blockdev-remove-medium", id=drive["qdev"])
    assert "inserted" not in client.do("query-block")[0]
    assert "error" in client.ask("blockdev-change-medium", device="ide1-cd0", filename=str(tmp_path / "missing"))
    other = tmp_path / "other.iso"
    other.write_bytes(bytes(4096))
    client.do("blockdev-change-medium", device="ide1-cd0", filename=str(other))
    drive = client.do("query-block")[0]
    assert not drive["tray_open"] and drive["inserted"]["image"]["virtual-size"] == 4096
    client.do("eject", device="ide1-cd0")
    drive = client.do("query-block")[0]
    assert drive["tray_open"] and "inserted" not in drive
    assert client.ask("eject", device="nothing")["error"]["class"] == "DeviceNotFound"


def test_qemus_own_client(start, tmp_path):
    """The library that QEMU's developers use (PyPI: qemu.qmp)."""
    from qemu.qmp import EventListener, QMPClient

    path = tmp_path / "qmp.sock"
    start("-m", "64", "-S", "-qmp", f"unix:{path},server=on,wait=off")
    while not path.exists():
        time.sleep(0.02)

    async def talk():
        client = QMPClient("test")
        with client.listener() as listener:
            await client.connect(str(path))
            assert (await client.execute("query-status"))["status"] == "prelaunch"
            await client.execute("cont")
            while (await listener.get())["event"] != "RESUME":
                pass
            cpus = await client.execute("query-cpus-fast")
            assert pathlib.Path(f"/proc/{cpus[0]['thread-id']}/comm").read_text().startswith("vcpu")
            await client.disconnect()

    asyncio.run(asyncio.wait_for(talk(), 30))


def test_a_client_that_does_not_read(machine, start, tmp_path):
    guest, client = machine("-S", "-qmp", f"unix:{tmp_path}/second,server=on,wait=off")
    rude = Client(tmp_path / "second")
    rude.do("qmp_capabilities")
    rude.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += rude.socket.send(b'{"execute":"query-qmp-schema"}' * 100)
    except TimeoutError:
        pass
    # It is not heard any more, the other is, and what is kept for it is bounded.
    assert sent < 64 << 20
    assert client.do("query-status")["status"] == "prelaunch"
    resident = int(pathlib.Path(f"/proc/{guest.process.pid}/statm").read_text().split()[1]) * 4096
    assert resident < 200 << 20
    rude.close()
    again = Client(tmp_path / "second")
    again.do("qmp_capabilities")
    assert again.do("query-status")["status"] == "prelaunch"
    # A killed client changes nothing.
    again.close()
    client.do("quit")
    assert guest.wait(20) == 0


def test_viewers_are_announced(machine):
    guest, client = machine("-S")
    assert client.do("query-vnc")["clients"] == []
    viewer = guest.vnc()
    viewer.refreshScreen()
    connected = client.wait_for("VNC_CONNECTED")
    assert connected["data"]["client"]["family"] == "unix"
    client.wait_for("VNC_INITIALIZED")
    assert len(client.do("query-vnc")["clients"]) == 1
    viewer.disconnect()
    client.wait_for("VNC_DISCONNECTED")
    assert client.do("query-vnc")["clients"] == []


def test_fifty_guests_come_and_go(tmp_path):
    def start_one(number):
        return subprocess.Popen(
            [MARTLET, "-m", "32", "-display", "none", "-qmp", f"unix:{tmp_path}/{number},server=on,wait=off"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    for batch in range(5):
        processes = [start_one(f"{batch}-{number}") for number in range(10)]
        for number, process in enumerate(processes):
            client = Client(tmp_path / f"{batch}-{number}")
            client.do("qmp_capabilities")
            assert client.do("query-status")["status"] == "running"
            client.do("quit")
        for process in processes:
            assert process.wait(20) == 0
    assert os.listdir(tmp_path) == []
