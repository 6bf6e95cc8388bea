# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the test protocol: plays the guest's part of a machine without CPUs."""

import base64
import re
import subprocess

from conftest import MARTLET


class Machine:
    """A martlet started with `-accel qtest`, spoken to on its standard input and output."""

    def __init__(self, directory, *arguments, accelerator="qtest"):
        self.errors = directory / "stderr.txt"
        command = [str(MARTLET), "-qtest", "stdio", "-qtest-log", "none", "-display", "none", "-accel", accelerator]
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                command + [str(argument) for argument in arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.levels = {}

    def ask(self, *words):
        """The answer to a command, without the word OK; what interrupt lines did is noted on the way."""
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline().decode()
            assert line, self.errors.read_text()
            if match := re.fullmatch(r"IRQ (raise|lower) (\d+)\n", line):
                self.levels[int(match[2])] = match[1] == "raise"
                continue
            assert line.startswith("OK"), (words, line)
            return line[2:].strip()

    def outb(self, port, value): self.ask("outb", port, value)
    def outw(self, port, value): self.ask("outw", port, value)
    def outl(self, port, value): self.ask("outl", port, value)
    def inb(self, port): return int(self.ask("inb", port), 0)
    def inw(self, port): return int(self.ask("inw", port), 0)
    def inl(self, port): return int(self.ask("inl", port), 0)
    def readl(self, address): return int(self.ask("readl", address), 0)
    def read(self, address, count): return base64.b64decode(self.ask("b64read", address, count))

    def write(self, address, data):
        self.ask("b64write", address, len(data), base64.b64encode(data).decode())

    def step(self, *nanoseconds): return int(self.ask("clock_step", *nanoseconds))

    def irq(self, number):
        # Whatever is on its way comes before this answer.
        self.ask("endianness")
        return self.levels.get(number, False)

    def end(self):
        """Ends the process; returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdin.close()
            self.process.stdout.close()
