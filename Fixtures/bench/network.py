#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The network cards beside QEMU's, with the same bare-metal guest on KVM: frames a second out of the guest and into it,
through a user network and a tap, the processor time that a frame costs the emulator, and what a link costs on which nothing goes.

Runs itself in a network namespace of its own, so that the tap disturbs nobody.
"""

import argparse
import contextlib
import ctypes
import errno
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from run import MARTLET, QEMU, assemble, processor_time

PROGRAMS = {"martlet": MARTLET, "qemu": QEMU}
CARDS = ["e1000", "rtl8139", "pcnet", "ne2k_pci"]
TAP = "bench0"
ETHERNET = bytes.fromhex("525400123456 525500000001 88b5")


def into_namespace():
    if os.environ.get("MARTLET_BENCH_NAMESPACE"):
        return
    os.environ["MARTLET_BENCH_NAMESPACE"] = "1"
    flags = "-n" if os.geteuid() == 0 else "-rn"
    os.execvp("unshare", ["unshare", flags, "--", sys.executable, *sys.argv])


def make_tap():
    for command in (["link", "set", "lo", "up"], ["tuntap", "add", TAP, "mode", "tap"], ["link", "set", TAP, "up"]):
        subprocess.run(["ip", *command], check=True)


class IOVector(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class MessageHeader(ctypes.Structure):
    """struct msghdr."""

    _fields_ = [
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("vectors", ctypes.POINTER(IOVector)),
        ("vector_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int)]


class Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = [("header", MessageHeader), ("sent", ctypes.c_uint)]


class Window:
    """A frame so many times, for one call: a sender that takes as long as the emulator would be measured instead."""

    library = ctypes.CDLL(None, use_errno=True)

    def __init__(self, frame, count):
        vector = IOVector(frame, len(frame))
        self.count = count
        self.messages = (Message * count)(*(
            Message(MessageHeader(vectors=ctypes.pointer(vector), vector_count=1)) for _ in range(count)))

    def send(self, descriptor):
        """Sends the window; false if nobody is at the other end any more."""
        done = 0
        while done < self.count:
            first = ctypes.byref(self.messages, done * ctypes.sizeof(Message))
            sent = self.library.sendmmsg(descriptor, first, self.count - done, 0)
            if sent < 0:
                if ctypes.get_errno() == errno.ECONNREFUSED:
                    return False
                raise OSError(ctypes.get_errno(), "sendmmsg")
            done += sent
        return True


class Sender:
    """Frames into the guest, as many on the way as its card has room for: it acknowledges each window."""

    def __init__(self, network, port, sink, length, window, ahead):
        self.ahead, self.sink = ahead, sink
        if network == "tap":
            self.socket = self.sink = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind((TAP, 0))
            frame = ETHERNET + bytes(length - len(ETHERNET))
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.connect(("127.0.0.1", port))
            frame = bytes(length - 42)
        self.window = Window(frame, window)
        # What was lost is sent again.
        self.sink.settimeout(0.3)
        self.ends = False
        self.thread = threading.Thread(target=self.run)

    def send_window(self):
        # The guest has all it wants, and ended?
        self.ends = not self.window.send(self.socket.fileno()) or self.ends

    def await_window(self):
        while True:
            answer = self.sink.recvfrom(2048)
            # Not our own, which the tap shows, too.
            if len(answer[1]) == 2 or answer[1][2] != socket.PACKET_OUTGOING:
                return

    def run(self):
        for _ in range(self.ahead):
            self.send_window()
        while not self.ends:
            try:
                self.await_window()
            except TimeoutError:
                pass
            self.send_window()

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *exception):
        self.ends = True
        self.thread.join()
        self.socket.close()


def start(peer, image, back_end, card):
    return subprocess.Popen(
        [PROGRAMS[peer], "-accel", "kvm", "-m", "64", "-bios", image, "-nic",
         f"{back_end},model={card},mac=52:54:00:12:34:56", "-debugcon", "stdio", "-display", "none",
         "-device", "isa-debug-exit,iobase=0x501"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


TAP_BACK_END = f"tap,ifname={TAP},script=no,downscript=no"


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(peer, card, network, receives, length, count, directory):
    """One run: frames a second by the guest's clock, and microseconds of processor time a frame."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        port = free_port()
        window, ahead = (4, 2) if card == "ne2k_pci" else (16, 3)
        defines = {"CARD": card, "WINDOW": window, "LENGTH": length, "COUNT": count, "PORT": sink.getsockname()[1]}
        image = assemble(
            directory, "network-guest", **defines, **({"RECEIVE": 1} if receives else {}))
        back_end = (f"user,hostfwd=udp:127.0.0.1:{port}-10.0.2.15:7" if network == "user"
                    else TAP_BACK_END)
        process = start(peer, image, back_end, card)
        killer = threading.Timer(120, process.kill)
        killer.start()
        process.stdout.readline()
        with Sender(network, port, sink, length, window, ahead) if receives else contextlib.nullcontext():
            process.stdout.readline()
            before = processor_time(process.pid)
            output = process.stdout.readline()
        _, _, usage = os.wait4(process.pid, 0)
        killer.cancel()
        process.stdout.close()
        process.returncode = 0
        found = re.fullmatch(rb"frames ([0-9a-f]{16})\n", output)
        if not found:
            return None
        seconds = int(found[1], 16) / cycles_a_second()
        spent = usage.ru_utime + usage.ru_stime - before
        return count / seconds, spent / count * 1e6


def idle(peer, card, network, directory):
    """Milliseconds of processor time a second, of an emulator whose guest sleeps with its card set up."""
    seconds = 5
    image = assemble(directory, "network-guest", CARD=card, IDLE=1)
    process = start(peer, image, "user" if network == "user" else TAP_BACK_END, card)
    process.stdout.readline()
    # What the start left to do is over.
    time.sleep(1)
    before = processor_time(process.pid)
    time.sleep(seconds)
    spent = processor_time(process.pid) - before
    process.kill()
    process.communicate()
    return spent / seconds * 1e3


def cycles_a_second(cache=[]):
    """The time stamp counter's rate, near enough for both alike."""
    if not cache:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        cache.append(float(re.search(r"cpu MHz\s*:\s*([\d.]+)", text)[1]) * 1e6)
    return cache[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cards", default=",".join(CARDS))
    parser.add_argument("--networks", default="user,tap")
    parser.add_argument("--only", choices=["frames", "idle"])
    options = parser.parse_args()
    into_namespace()
    make_tap()
    with tempfile.TemporaryDirectory() as directory:
        if options.only != "idle":
            measure_frames(options, directory)
        if options.only != "frames":
            measure_idle(options, directory)


def measure_frames(options, directory):
    print(f"{'thousand frames a second':44}{'martlet':>10}{'qemu':>10}{'ratio':>8}   {'us of processor a frame, with the guest’s waiting':>26}")
    for card in options.cards.split(","):
        for network in options.networks.split(","):
            for receives in (False, True):
                for length in (60, 1514):
                    count = 512 if card == "ne2k_pci" else 131072
                    values = {peer: [] for peer in PROGRAMS}
                    for _ in range(options.rounds):
                        for peer in PROGRAMS:
                            value = run(peer, card, network, receives, length, count, directory)
                            if value:
                                values[peer].append(value)
                    name = f"{card}, {network}, {'received' if receives else 'sent'}, {length} bytes"
                    if not all(values.values()):
                        failed = " and ".join(peer for peer in PROGRAMS if not values[peer])
                        print(f"{name:44}  no result from {failed}", flush=True)
                        continue
                    (ours, our_time), (theirs, their_time) = (
                        [statistics.median(column) for column in zip(*values[peer])] for peer in PROGRAMS)
                    print(f"{name:44}{ours / 1e3:10.1f}{theirs / 1e3:10.1f}{ours / theirs:8.2f}   "
                          f"{our_time:10.2f}{their_time:10.2f}{our_time / their_time:6.2f}", flush=True)


def measure_idle(options, directory):
    print(f"{'ms of processor a second':44}{'martlet':>10}{'qemu':>10}")
    for card in options.cards.split(","):
        for network in options.networks.split(","):
            values = {peer: [] for peer in PROGRAMS}
            for _ in range(options.rounds):
                for peer in PROGRAMS:
                    values[peer].append(idle(peer, card, network, directory))
            ours, theirs = (statistics.median(values[peer]) for peer in PROGRAMS)
            print(f"{f'{card}, {network}, idle':44}{ours:10.2f}{theirs:10.2f}", flush=True)


if __name__ == "__main__":
    main()
