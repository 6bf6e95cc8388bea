#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs QEMU's own qtest programs, unchanged, against Martlet, and tells how each of their tests ended.

usage: MARTLET=path/to/martlet CACHE=directory run.py [program ...]

The programs come from Debian's source package of QEMU (qemu-qtest.sh). Without arguments, those that must pass and those
that are run to know where we stand. The exit status is 1 if one that must pass did not.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# They pass completely.
REQUIRED = ["rtc-test", "ide-test", "i440fx-test"]
# For devices we have, with tests for some that we have not.
OTHERS = ["fw_cfg-test", "boot-order-test", "hd-geo-test", "cdrom-test", "qmp-test"]
SECONDS = 600


def build(directory, programs):
    script = pathlib.Path(__file__).with_name("qemu-qtest.sh")
    result = subprocess.run([script, directory, *programs])
    if result.returncode == 3:
        sys.exit(0)
    if result.returncode != 0:
        sys.exit(result.returncode)


def run(program, environment):
    """All tests of a program, as a list of (name, result, remark). One that fails ends the program: those behind it are
    then run one by one."""
    results = run_once(program, environment)
    if not any(kind == "failed" for _, kind, _ in results):
        return results
    results = [result for result in results if result[1] != "failed"]
    known = {name for name, _, _ in results}
    listed = subprocess.run(
        [program, "-l"], env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout
    for name in (line for line in listed.splitlines() if line.startswith("/")):
        if name not in known:
            results += [(name, kind, remark) for _, kind, remark in run_once(program, environment, "-p", name)]
    return results


def run_once(program, environment, *arguments):
    command = [program, "--tap", "-k", *arguments]
    # Each has a directory of its own, so that what a failed one leaves behind is gone.
    with tempfile.TemporaryDirectory(prefix="qtest-") as directory:
        environment = dict(environment, TMPDIR=directory)
        try:
            done = subprocess.run(
                command, env=environment, cwd=directory, timeout=SECONDS, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output, status = done.stdout, done.returncode
        except subprocess.TimeoutExpired as error:
            output, status = (error.stdout or b"").decode(errors="replace"), "no end"
    results, remarks = [], []
    for line in output.splitlines():
        if match := re.match(r"(not )?ok \d+ (\S+)(?: # (SKIP.*))?", line):
            kind = "failed" if match[1] else "skipped" if match[3] else "passed"
            results.append((match[2], kind, "; ".join(remarks[-2:]) if match[1] else match[3] or ""))
            remarks = []
        elif line.startswith(("ERROR", "martlet:", "Bail out")):
            remarks.append(line)
    if status != 0 and not any(kind == "failed" for _, kind, _ in results):
        results.append(("(the rest)", "failed", "; ".join(remarks[-2:]) or f"status {status}"))
    return results


def main():
    martlet = pathlib.Path(os.environ["MARTLET"]).resolve()
    directory = pathlib.Path(os.environ["CACHE"]).resolve() / "qemu-qtest"
    programs = sys.argv[1:] or REQUIRED + OTHERS
    build(directory, programs)
    # The programs read the guest's architecture off the emulator's name.
    binary = directory / "qemu-system-x86_64"
    binary.unlink(missing_ok=True)
    binary.symlink_to(martlet)
    environment = dict(os.environ, QTEST_QEMU_BINARY=str(binary))
    if image_tool := shutil.which("qemu-img"):
        environment["QTEST_QEMU_IMG"] = image_tool
    broken = []
    for program in programs:
        results = run(directory / "build/tests/qtest" / program, environment)
        counts = {kind: sum(1 for result in results if result[1] == kind) for kind in ("passed", "failed", "skipped")}
        print(f"{program}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count), flush=True)
        for name, kind, remark in results:
            print(f"  {kind:8}{name}{'  ' + remark if remark else ''}", flush=True)
        if program in REQUIRED and counts["failed"]:
            broken.append(program)
    if broken:
        print("Must pass and did not: " + ", ".join(broken))
        sys.exit(1)


if __name__ == "__main__":
    main()
