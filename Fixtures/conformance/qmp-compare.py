#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks QEMU and Martlet the same over QMP, and compares what they answer, key by key.

usage: MARTLET=path/to/martlet [QEMU=qemu-system-x86_64] qmp-compare.py [--verbose]

The commands are those that libvirt sends when it learns what an emulator can do, when it starts a guest and while the
guest is there; the machine is one that libvirt would make. Differences that docs/qmp.md justifies are listed below with
the reason; any other makes the exit status 1.
"""

import fnmatch
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

UUID = "12345678-1234-1234-1234-123456789abc"

# What is asked, in this order: a name, its arguments.
QUESTIONS = [
    # What can it do?
    ("query-version", {}), ("query-target", {}), ("query-kvm", {}), ("query-commands", {}), ("query-events", {}),
    ("query-machines", {}), ("query-cpu-definitions", {}), ("query-tpm-models", {}), ("query-tpm-types", {}),
    ("query-migrate-capabilities", {}), ("query-dump-guest-memory-capability", {}), ("query-chardev-backends", {}),
    ("query-command-line-options", {"option": "add-fd"}), ("query-command-line-options", {"option": "msg"}),
    ("query-command-line-options", {"option": "nothing"}),
    ("qom-list-types", {"implements": "device", "abstract": False}),
    ("device-list-properties", {"typename": "ide-hd"}), ("device-list-properties", {"typename": "ide-cd"}),
    ("device-list-properties", {"typename": "e1000"}), ("device-list-properties", {"typename": "rtl8139"}),
    ("device-list-properties", {"typename": "VGA"}), ("device-list-properties", {"typename": "isa-serial"}),
    ("device-list-properties", {"typename": "pvpanic"}), ("device-list-properties", {"typename": "nothing"}),
    ("qom-list-properties", {"typename": "ide-hd"}), ("qom-list-properties", {"typename": "nothing"}),
    # What is there?
    ("query-name", {}), ("query-uuid", {}), ("query-status", {}), ("query-current-machine", {}),
    ("query-cpus-fast", {}), ("query-hotpluggable-cpus", {}), ("query-memory-size-summary", {}),
    ("query-memory-devices", {}), ("query-memdev", {}), ("query-iothreads", {}), ("query-chardev", {}),
    ("query-block", {}), ("query-named-block-nodes", {"flat": True}), ("query-blockstats", {}), ("query-jobs", {}),
    ("query-block-jobs", {}), ("query-vnc", {}), ("query-vnc-servers", {}), ("query-mice", {}), ("query-pci", {}),
    ("query-fdsets", {}), ("query-migrate", {}), ("query-balloon", {}), ("query-tpm", {}), ("query-spice", {}),
    ("query-rx-filter", {"name": "nic0"}), ("query-display-options", {}),
    ("qom-list", {"path": "/machine"}), ("qom-list", {"path": "/machine/peripheral"}),
    ("qom-list", {"path": "/nothing"}), ("qom-get", {"path": "/machine", "property": "type"}),
    ("qom-get", {"path": "/machine/peripheral/disk0", "property": "type"}),
    ("qom-get", {"path": "/machine/peripheral/disk0", "property": "drive"}),
    ("qom-get", {"path": "/machine/peripheral/disk0", "property": "nothing"}),
    ("qom-get", {"path": "/nothing", "property": "type"}),
    ("qom-set", {"path": "/machine", "property": "type", "value": "x"}),
    # Changes, right and wrong.
    ("object-add", {"qom-type": "secret", "id": "s0", "data": "x"}),
    ("object-add", {"qom-type": "secret", "id": "s0", "data": "x"}),
    ("object-add", {"qom-type": "nothing", "id": "s1"}), ("object-add", {"qom-type": "secret"}),
    ("object-del", {"id": "s0"}), ("object-del", {"id": "s0"}),
    ("chardev-add", {"id": "c0", "backend": {"type": "ringbuf", "data": {"size": 64}}}),
    ("chardev-add", {"id": "c0", "backend": {"type": "null", "data": {}}}),
    ("chardev-add", {"id": "c1", "backend": {"type": "ringbuf", "data": {"size": 63}}}),
    ("chardev-add", {"id": "c1", "backend": {"type": "nothing", "data": {}}}),
    ("ringbuf-write", {"device": "c0", "data": "hello"}), ("ringbuf-read", {"device": "c0", "size": 3}),
    ("ringbuf-read", {"device": "c0", "size": 0}), ("ringbuf-read", {"device": "nothing", "size": 3}),
    ("ringbuf-read", {"device": "serial0", "size": 3}), ("chardev-change",
     {"id": "c0", "backend": {"type": "null", "data": {}}}),
    ("chardev-change", {"id": "c9", "backend": {"type": "null", "data": {}}}),
    ("chardev-remove", {"id": "c0"}), ("chardev-remove", {"id": "c0"}), ("chardev-remove", {"id": "serial0"}),
    ("add-fd", {}), ("remove-fd", {"fdset-id": 9}), ("getfd", {"fdname": "x"}), ("closefd", {"fdname": "x"}),
    ("blockdev-add", {"driver": "file", "node-name": "new-file", "filename": "@other", "read-only": True}),
    ("blockdev-add", {"driver": "raw", "node-name": "new", "file": "new-file", "read-only": True}),
    ("blockdev-add", {"driver": "raw", "node-name": "new", "file": "new-file", "read-only": True}),
    ("blockdev-add", {"driver": "raw", "node-name": "newer", "file": "nothing"}),
    ("blockdev-add", {"driver": "file", "filename": "@other"}),
    ("blockdev-insert-medium", {"id": "cd0", "node-name": "new"}),
    ("blockdev-remove-medium", {"id": "cd0"}), ("blockdev-open-tray", {"id": "cd0"}),
    ("blockdev-remove-medium", {"id": "cd0"}), ("blockdev-insert-medium", {"id": "cd0", "node-name": "nothing"}),
    ("blockdev-insert-medium", {"id": "nothing", "node-name": "new"}),
    ("blockdev-insert-medium", {"id": "disk0", "node-name": "new"}),
    ("blockdev-insert-medium", {"id": "cd0", "node-name": "new"}),
    ("blockdev-insert-medium", {"id": "cd0", "node-name": "new"}), ("blockdev-close-tray", {"id": "cd0"}),
    ("query-block", {}), ("blockdev-del", {"node-name": "new"}), ("blockdev-del", {"node-name": "new-file"}),
    ("blockdev-del", {"node-name": "nothing"}), ("eject", {"id": "cd0"}), ("eject", {"device": "nothing"}),
    ("eject", {}), ("blockdev-del", {"node-name": "new"}), ("blockdev-del", {"node-name": "new-file"}),
    ("block_resize", {"node-name": "disk", "size": 2 << 20}), ("block_resize", {"node-name": "disk", "size": -1}),
    ("block_resize", {"node-name": "nothing", "size": 512}), ("query-named-block-nodes", {}),
    ("set_link", {"name": "nic0", "up": False}), ("set_link", {"name": "nothing", "up": True}),
    ("netdev_add", {"type": "user", "id": "net1"}), ("netdev_add", {"type": "user", "id": "net1"}),
    ("netdev_add", {"type": "nothing", "id": "net2"}), ("netdev_del", {"id": "net1"}), ("netdev_del", {"id": "net1"}),
    ("set_password", {"protocol": "vnc", "password": "x"}),
    ("expire_password", {"protocol": "vnc", "time": "now"}), ("set_password", {"protocol": "spice", "password": "x"}),
    ("change-vnc-password", {"password": "x"}),
    ("set-action", {"reboot": "shutdown", "shutdown": "pause", "panic": "pause"}), ("set-action", {"panic": "what"}),
    ("device_add", {"driver": "nothing"}), ("device_add", {}), ("device_del", {"id": "nothing"}),
    ("system_wakeup", {}), ("send-key", {"keys": [{"type": "qcode", "data": "a"}]}),
    ("send-key", {"keys": [{"type": "qcode", "data": "nothing"}]}), ("send-key", {"keys": 5}),
    ("input-send-event", {"events": [{"type": "btn", "data": {"down": True, "button": "left"}}]}),
    ("human-monitor-command", {"command-line": "info status"}),
    ("human-monitor-command", {"command-line": "nothing"}),
    ("screendump", {"filename": "/nonexistent/x"}), ("pmemsave", {"val": 0, "size": 16, "filename": "/nonexistent/x"}),
    ("memsave", {"val": 0, "size": 16, "filename": "/nonexistent/x"}),
    ("dump-guest-memory", {"paging": False, "protocol": "nothing:x"}),
    ("query-qmp-schema", {"what": 1}), ("nothing", {}), ("query-status", {"x": 1}), ("xen-save-devices-state",
     {"filename": "/nonexistent/x"}),
    # Run states.
    ("stop", {}), ("query-status", {}), ("cont", {}), ("query-status", {}), ("stop", {}), ("query-status", {}),
    ("system_reset", {}), ("query-status", {}), ("inject-nmi", {}),
]

# Differences that are justified in docs/qmp.md: commands and paths (with wildcards), and why.
WORDS = "an error's sentence says more, or names the thing differently; the class is the same"
FEWER = "fewer of them: what there is here is what is listed"
BLOCKSTATS = "not measured: times, offsets, requests that were invalid; the file below the format is no node of a drive"
JUSTIFIED = [
    ("greeting", "QMP/version/*", "the version is 7.2.0 and the package says what it really is"),
    ("query-version", "return/*", "the version is 7.2.0 and the package says what it really is"),
    ("query-commands", "return?*", FEWER), ("query-machines", "return?*", FEWER),
    ("query-cpu-definitions", "return?*", FEWER), ("query-chardev-backends", "return?*", FEWER),
    ("qom-list-types *", "return?*", FEWER), ("query-tpm-*", "return?*", FEWER),
    ("query-migrate-capabilities", "return?*", FEWER),
    ("query-dump-guest-memory-capability", "return/formats?*", FEWER), ("query-spice", "return/mouse-mode", FEWER),
    ("query-events", "error", "kept although QEMU has dropped it"),
    ("device-list-properties *", "return?*", "the properties that our devices have, in our words; no defaults"),
    ("qom-list-properties *", "return?*", "the properties that our devices have, in our words; no defaults"),
    ("query-command-line-options *", "return?*", "every value is told as a string, without help"),
    ("query-current-machine", "return/wakeup-suspend-support", "a guest cannot be suspended"),
    ("query-hotpluggable-cpus", "error", "CPUs cannot be plugged in; query-machines says so, too"),
    ("query-cpus-fast", "return?*/qom-path", "objects on the board have names of their own, QEMU numbers them"),
    ("query-cpus-fast", "return?*/thread-id", "threads have numbers of their own"),
    ("query-blockstats", "return?*", BLOCKSTATS),
    ("query-pci", "return?0?/devices?3.0?/regions?bar6?/size", "the option ROM is as large as the file needs"),
    ("query-rx-filter *", "error", "answered for every card; QEMU knows it for virtio only"),
    ("qom-list */machine*", "return?*", "enough objects and properties to find things; no others"),
    ("qom-get *", "return", "there is one machine type, without versions"),
    ("qom-set *", "error/desc", "there is one machine type, without versions"),
    ("object-add *", "error/desc", WORDS), ("chardev-add *", "error/desc", WORDS), ("netdev_add *", "error/desc", WORDS),
    ("blockdev-insert-medium *", "error/desc", WORDS), ("*password*", "error/desc", WORDS),
    ("screendump *", "error/desc", WORDS), ("*memsave *", "error/desc", WORDS), ("dump-guest-memory *", "error/desc", WORDS),
    ("xen-*", "error/*", "the names are kept free for guests under Xen"),
    ("query-qmp-schema", "blockdev-add/members/*", "not known: force-share, detect-zeroes"),
]


class Emulator:
    def __init__(self, program, arguments, directory, own):
        self.log = open(directory / "log", "w+")
        path = directory / "qmp"
        disk, other = directory / "disk", directory / "other"
        disk.write_bytes(bytes(1 << 20))
        other.write_bytes(bytes(65536))
        self.other = str(other)
        node = lambda name, file: [
            "-blockdev", json.dumps({"driver": "file", "filename": str(file), "node-name": f"{name}-file"}),
            "-blockdev", json.dumps({"driver": "raw", "node-name": name, "file": f"{name}-file"})]
        self.process = subprocess.Popen(
            [program, "-name", "guest=compare", "-uuid", UUID, "-machine", "pc", *own, "-cpu", "qemu64", "-m", "128",
             "-smp", "2,sockets=2", "-no-user-config", "-nodefaults", "-display", "none", "-S",
             *node("disk", disk),
             "-device", "ide-hd,bus=ide.0,unit=0,drive=disk,id=disk0,serial=abc", "-device",
             "ide-cd,bus=ide.1,unit=0,id=cd0", "-netdev", "user,id=net0", "-device",
             "e1000,netdev=net0,id=nic0,mac=52:54:00:00:00:01,addr=3", "-chardev", "null,id=serial0",
             "-device", "isa-serial,chardev=serial0,id=com0", "-vga", "std", "-vnc", f"unix:{directory}/vnc",
             "-chardev", f"socket,id=qmp0,path={path},server=on,wait=off",
             "-mon", "chardev=qmp0,mode=control", *arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=directory)
        self.directory = str(directory)
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.log.seek(0)
                    sys.exit(f"{program} did not start: {self.log.read()}")
                time.sleep(0.05)
        self.socket.settimeout(60)
        self.file = self.socket.makefile("rwb")
        self.greeting = self.receive()
        self.ask("qmp_capabilities", {})

    def receive(self):
        line = self.file.readline()
        if not line:
            self.log.seek(0)
            sys.exit(f"the monitor hung up: {self.log.read()}")
        return json.loads(line)

    def ask(self, name, arguments):
        arguments = {key: self.other if value == "@other" else value for key, value in arguments.items()}
        self.file.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        self.file.flush()
        while True:
            message = self.receive()
            if "event" not in message:
                return self.anonymous(message)

    def anonymous(self, value):
        """Without what depends on where it runs."""
        if isinstance(value, dict):
            return {key: self.anonymous(member) for key, member in value.items()}
        if isinstance(value, list):
            return [self.anonymous(element) for element in value]
        return value.replace(self.directory, "DIR") if isinstance(value, str) else value

    def end(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(20)


def name_of(element):
    """What an element of a list is called, so that lists are compared by names and not by places."""
    if isinstance(element, dict):
        if "slot" in element and "function" in element:
            return f"{element['slot']}.{element['function']}"
        if "bar" in element:
            return f"bar{element['bar']}"
        for key in ("name", "label", "node-name", "device", "id", "typename", "cpu-index", "qdev", "fdset-id",
                    "parameter", "capability", "option", "type"):
            if isinstance(element.get(key), (str, int)) and element[key] != "":
                return str(element[key])
    return None


def short(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 70 else text[:67] + "..."


def differences(theirs, ours, path=""):
    """Of each path: what QEMU says, what we say. What one side does not have at all is one difference."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if ("error" in theirs) != ("error" in ours):
            told = [side["error"]["desc"] if "error" in side else short(side.get("return")) for side in (theirs, ours)]
            yield "error", *told
            return
        members = [(f"{path}/{key}" if path else key, theirs.get(key), ours.get(key), key in theirs, key in ours)
                   for key in sorted(theirs.keys() | ours.keys())]
    elif isinstance(theirs, list) and isinstance(ours, list):
        sides = [{(name_of(element) or str(index)): element for index, element in enumerate(side)}
                 for side in (theirs, ours)]
        members = [(f"{path}[{key}]", sides[0].get(key), sides[1].get(key), key in sides[0], key in sides[1])
                   for key in sorted(sides[0].keys() | sides[1].keys())]
    else:
        if theirs != ours or type(theirs) is not type(ours):
            yield path, short(theirs), short(ours)
        return
    for name, a, b, in_theirs, in_ours in members:
        if in_theirs and in_ours:
            yield from differences(a, b, name)
        else:
            yield name, short(a) if in_theirs else "(nothing)", short(b) if in_ours else "(nothing)"


def arguments_in(schema):
    """The arguments of each command."""
    types = {entry["name"]: entry for entry in schema}
    result = {}
    for entry in schema:
        if entry["meta-type"] == "command":
            members = types[entry["arg-type"]].get("members", [])
            result[entry["name"]] = {
                "members": {member["name"]: "optional" if "default" in member else "required" for member in members}}
    return result


def main():
    verbose = "--verbose" in sys.argv
    qemu = os.environ.get("QEMU") or shutil.which("qemu-system-x86_64")
    if not qemu:
        print("qmp-compare: there is no qemu-system-x86_64 to compare with")
        return 0
    with tempfile.TemporaryDirectory(prefix="qmp-") as directory:
        places = []
        for name in ("qemu", "martlet"):
            place = pathlib.Path(directory) / name
            place.mkdir()
            places.append(place)
        theirs = Emulator(qemu, [], places[0], ["-accel", "tcg"])
        ours = Emulator(os.path.abspath(os.environ["MARTLET"]), [], places[1], ["-accel", "soft"])
        try:
            return compare(theirs, ours, verbose)
        finally:
            theirs.end()
            ours.end()


def compare(theirs, ours, verbose):
    found = [("greeting", path, a, b) for path, a, b in differences(theirs.greeting, ours.greeting)]
    for name, arguments in QUESTIONS:
        answers = theirs.ask(name, arguments), ours.ask(name, arguments)
        title = f"{name} {json.dumps(arguments)}" if arguments else name
        found += [(title, path, a, b) for path, a, b in differences(*answers)]
    # What commands we have and take, by their own descriptions.
    schemas = [arguments_in(emulator.ask("query-qmp-schema", {})["return"]) for emulator in (theirs, ours)]
    common = schemas[0].keys() & schemas[1].keys()
    found += [("query-qmp-schema", path, a, b) for path, a, b in differences(
        {name: schemas[0][name] for name in common}, {name: schemas[1][name] for name in common})]

    reasons, unjustified = {}, []
    for title, path, a, b in found:
        for command, pattern, reason in JUSTIFIED:
            if fnmatch.fnmatchcase(title, command) and fnmatch.fnmatchcase(path, pattern):
                reasons.setdefault(reason, []).append((title, path, a, b))
                break
        else:
            unjustified.append((title, path, a, b))
    if verbose:
        for reason, cases in reasons.items():
            print(f"justified: {reason}")
            for title, path, a, b in cases:
                print(f"  {title}: {path}: QEMU {a}, Martlet {b}")
    for title, path, a, b in unjustified:
        print(f"{title}: {path}: QEMU {a}, Martlet {b}")
    print(f"{len(QUESTIONS)} commands: {len(found)} differences, {len(unjustified)} of them not justified")
    return 1 if unjustified else 0


if __name__ == "__main__":
    sys.exit(main())
