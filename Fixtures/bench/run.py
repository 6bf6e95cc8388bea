#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Martlet beside QEMU, in one run on the same work: medians of several rounds, and their ratio.

Times alone mean nothing on a busy machine; the two take turns so that both see the same noise.
"""

import argparse
import os
import pathlib
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MARTLET = os.environ.get("MARTLET", str(ROOT / ".build/release/martlet"))
QEMU = "qemu-system-x86_64"
COMMON = ["-accel", "kvm", "-m", "256", "-nic", "none"]


class Peer:
    """One of the two programs, and how it is told what both are to do."""

    def __init__(self, name, command):
        self.name = name
        self.command = command

    def run(self, *arguments, timeout=300):
        """Runs a guest that ends by itself; returns seconds and what it said on port 0xE9."""
        begin = time.perf_counter()
        result = subprocess.run(
            [*self.command, *COMMON, *arguments, "-debugcon", "stdio", "-display", "none", "-device",
             "isa-debug-exit,iobase=0x501"],
            capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - begin
        if result.returncode != 1:
            sys.exit(f"{self.name}: status {result.returncode}: {result.stderr.decode()}")
        return seconds, result.stdout.decode(errors="replace")

    def start(self, directory, *arguments):
        """Starts one with a VNC server; returns the process and a connection to it."""
        path = os.path.join(directory, f"{self.name}.sock")
        if os.path.exists(path):
            os.unlink(path)
        process = subprocess.Popen(
            [*self.command, *COMMON, *arguments, "-vnc", f"unix:{path}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        return process, connect(path, process)


def connect(path, process):
    """A connection to a socket that the process is about to make."""
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            if process.poll() is not None:
                sys.exit(f"{process.args[0]} ended with status {process.returncode}")
            time.sleep(0.0002)


PEERS = [Peer("martlet", [MARTLET]), Peer("qemu", [QEMU])]


def assemble(directory, name, size=None, **defines):
    target = os.path.join(directory, f"{name}.img")
    options = [f"-D{key}={value}" for key, value in defines.items()]
    subprocess.run(
        ["nasm", "-f", "bin", "-I", f"{HERE}/", *options, "-o", target, str(HERE / f"{name}.asm")], check=True
    )
    if size:
        os.truncate(target, size)
    return target


def drive(path):
    return ["-drive", f"file={path},format=raw,if=ide"]


def cycles(output, name):
    found = re.search(rf"^{name} ([0-9a-f]{{16}})$", output, re.M)
    if not found:
        sys.exit(f"no {name!r} in {output!r}")
    return int(found[1], 16)


# Each measurement: the peer's values by name, one round. Lower is better unless the name says "per second".

def start_and_quit(peer, directory):
    begin = time.perf_counter()
    process, connection = peer.start(directory, "-S")
    connection.recv(12)
    process.send_signal(signal.SIGTERM)
    process.wait()
    connection.close()
    return {"start to viewer ready, and quit (ms)": (time.perf_counter() - begin) * 1e3}


def memory(peer, directory):
    process, connection = peer.start(directory, "-S")
    connection.recv(12)
    text = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    process.terminate()
    process.wait()
    connection.close()
    value = {key: int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1]) for key in ("Anonymous", "Rss")}
    return {"anonymous memory (KiB)": value["Anonymous"], "resident memory (KiB)": value["Rss"]}


def qmp(peer, directory):
    """A toolstack's view: from the start to the end by QMP, and what a command takes in between."""
    count = 2000
    path = os.path.join(directory, f"{peer.name}.qmp")
    begin = time.perf_counter()
    process, connection = peer.start(directory, "-S", "-qmp", f"unix:{path},server=on,wait=off")
    monitor = connect(path, process)
    stream = monitor.makefile("rwb")

    def ask(command):
        stream.write(b'{"execute":"%s"}\n' % command)
        stream.flush()
        while b'"return"' not in stream.readline():
            pass

    stream.readline()
    ask(b"qmp_capabilities")
    ready = time.perf_counter()
    for _ in range(count):
        ask(b"query-status")
    asked = time.perf_counter()
    ask(b"quit")
    process.wait()
    end = time.perf_counter()
    connection.close()
    return {
        "QMP: start, capabilities, quit (ms)": (ready - begin + end - asked) * 1e3,
        "QMP: a query (us)": (asked - ready) / count * 1e6,
    }


def seabios(peer, directory):
    seconds, _ = peer.run(*drive(assemble(directory, "end", size=1 << 20)))
    return {"SeaBIOS to the boot sector (ms)": seconds * 1e3}


def exits(peer, directory):
    count = 50000
    _, output = peer.run(*drive(assemble(directory, "exits", size=1 << 20, COUNT=count)))
    values = {}
    for name in ("port", "mmio"):
        values[f"{name} read (cycles)"] = cycles(output, name) / count
        values[f"{name} read, beside a bare C loop (cycles)"] = (
            cycles(output, name) / count if peer.name == "martlet" else c_loop(directory, name)
        )
    return values


def c_loop(directory, name):
    """The same read in a bare C loop on KVM: what the kernel costs by itself."""
    program = os.path.join(directory, "exit-loop")
    if not os.path.exists(program):
        subprocess.run(["cc", "-O2", "-o", program, str(HERE / "exit-loop.c")], check=True)
    guests = HERE.parent / "bare-metal"
    guest = os.path.join(directory, f"{name}-exits.bin")
    subprocess.run(
        ["nasm", "-f", "bin", "-I", f"{guests}/", "-DCOUNT=50000", "-o", guest, str(guests / f"{name}-exits.asm")],
        check=True,
    )
    output = subprocess.run([program, guest], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"(\d+) cycles each", output)[1])


def ide(peer, directory):
    count = 256
    image = assemble(directory, "ide-dma", size=64 << 20, COUNT=count)
    _, output = peer.run(*drive(image))
    if "!" in output:
        sys.exit(f"{peer.name}: the disk reported an error")
    return {f"IDE DMA {name} (cycles a KiB)": cycles(output, name) / (count * 128) for name in ("read", "write")}


def usb(peer, directory):
    """Reading a stick through SeaBIOS's drivers."""
    values = {}
    for name, controller, count in (("UHCI", "piix3-usb-uhci", 32), ("EHCI", "usb-ehci", 256), ("xHCI", "qemu-xhci", 256)):
        image = assemble(directory, "usb-read", size=16 << 20, COUNT=count)
        _, output = peer.run(
            "-device", f"{controller},id=usb", "-drive", f"if=none,id=stick,file={image},format=raw",
            "-device", "usb-storage,bus=usb.0,drive=stick,bootindex=0")
        # SeaBIOS gives up on a controller that keeps it waiting, as QEMU's does on a busy machine.
        if "!" in output:
            print(f"{peer.name}: SeaBIOS gave up reading by {name}", file=sys.stderr)
            continue
        values[f"USB read, {name} (cycles a KiB)"] = cycles(output, "usb") / (count * 32)
    return values


def usb_idle(peer, directory):
    """The processor time that a mouse costs that nobody moves, while the firmware's driver waits for it: of the threads
    that are not the virtual CPU, where the controller is at work. What the guest does is the same for both, and with an
    interpreting KVM most of all."""
    seconds = 5
    values = {}
    image = assemble(directory, "idle", size=1 << 20)
    for name, controller in (("UHCI", "piix3-usb-uhci"), ("xHCI", "qemu-xhci")):
        process = subprocess.Popen(
            [*peer.command, *COMMON, *drive(image), "-name", "bench,debug-threads=on", "-device", f"{controller},id=usb",
             "-device", "usb-mouse,bus=usb.0", "-debugcon", "stdio", "-display", "none"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        # What the start left to do is over.
        time.sleep(1)
        before = processor_time(process.pid, but=VIRTUAL_CPUS)
        time.sleep(seconds)
        spent = processor_time(process.pid, but=VIRTUAL_CPUS) - before
        values[f"idle mouse, {name} (ms of processor a second)"] = spent / seconds * 1e3
        process.kill()
        process.communicate()
    return values


# What the two call the thread of the first virtual CPU.
VIRTUAL_CPUS = ["vcpu0", "CPU 0/KVM"]


def processor_time(pid, but=()):
    """Seconds, exactly: the scheduler's, of all threads but some."""
    return sum(
        int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
        if (task / "comm").read_text().strip() not in but) / 1e9


def vnc(peer, directory):
    """Full-screen updates a second, raw, asked for one after the other, of the BIOS's text screen."""
    process, connection = peer.start(directory)
    connection.close()
    # Both have set their text mode by then, and wait for something to boot.
    time.sleep(8)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.path.join(directory, f"{peer.name}.sock"))

    def receive(count):
        data = b""
        while len(data) < count:
            part = connection.recv(min(1 << 20, count - len(data)))
            if not part:
                sys.exit(f"{peer.name} hung up")
            data += part
        return data

    def skip(count, buffer=bytearray(1 << 20)):
        while count:
            part = connection.recv_into(buffer, min(len(buffer), count))
            if not part:
                sys.exit(f"{peer.name} hung up")
            count -= part

    receive(12)
    connection.send(b"RFB 003.008\n")
    receive(receive(1)[0])
    connection.send(b"\x01")
    receive(4)
    connection.send(b"\x01")
    width, height = struct.unpack(">HH", receive(4))
    receive(16)
    receive(struct.unpack(">I", receive(4))[0])
    connection.send(struct.pack(">BxHi", 2, 1, 0))
    request = struct.pack(">BBHHHH", 3, 0, 0, 0, width, height)

    def update():
        connection.send(request)
        while True:
            kind = receive(1)[0]
            if kind != 0:
                sys.exit(f"{peer.name}: unexpected message {kind}")
            _, count = struct.unpack(">BH", receive(3))
            for _ in range(count):
                _, _, w, h, encoding = struct.unpack(">HHHHi", receive(12))
                if encoding == 0:
                    skip(w * h * 4)
            if count:
                return

    update()
    begin = time.perf_counter()
    updates = 0
    while time.perf_counter() - begin < 2:
        update()
        updates += 1
    seconds = time.perf_counter() - begin
    connection.close()
    process.terminate()
    process.wait()
    return {"VNC full-screen updates per second, megapixels": updates * width * height / seconds / 1e6}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="names of measurements, separated by commas")
    options = parser.parse_args()
    measurements = [start_and_quit, qmp, memory, seabios, exits, ide, usb, usb_idle, vnc]
    if options.only:
        measurements = [m for m in measurements if m.__name__ in options.only.split(",")]
    print(f"{'':48}{'martlet':>12}{'qemu':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as directory:
        for measurement in measurements:
            values = {peer.name: {} for peer in PEERS}
            for _ in range(options.rounds):
                for peer in PEERS:
                    for name, value in measurement(peer, directory).items():
                        values[peer.name].setdefault(name, []).append(value)
            for name in values["martlet"]:
                ours, theirs = (statistics.median(values[peer.name].get(name, [0])) for peer in PEERS)
                print(f"{name:48}{ours:12.1f}{theirs:12.1f}{ours / theirs if theirs else 0:8.2f}", flush=True)


if __name__ == "__main__":
    main()
