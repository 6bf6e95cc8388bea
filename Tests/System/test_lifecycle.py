# SPDX-License-Identifier: GPL-2.0-or-later
"""From start to end as a toolstack sees it: sockets handed over, readiness told, every end, and what is left behind."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from conftest import MARTLET, ROOT


def run(*arguments, timeout=30, **more):
    return subprocess.run(
        [str(MARTLET), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL, **more,
    )


def wait_until(condition, timeout=20):
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def listener(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(4)
    return server


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    wait_until(lambda: pathlib.Path(path).exists())
    client.connect(str(path))
    return client


def read_until(client, text):
    received = b""
    while text not in received:
        more = client.recv(65536)
        assert more, received
        received += more
    return received


# Starts what follows as systemd does: sockets from descriptor 3 on, and the process's number.
LAUNCHER = """
import os, sys
fds = [int(n) for n in sys.argv[1].split(",")]
held = [os.dup(fd) for fd in fds]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(held)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.closerange(3 + len(fds), 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_sockets_and_readiness_as_systemd_has_them(tmp_path):
    servers = {name: listener(tmp_path / name) for name in ["qmp", "screen", "serial"]}
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(30)
    # A client that is there before the guest is.
    early = connect(tmp_path / "qmp")
    config = tmp_path / "vm.conf"
    config.write_text(
        '[memory]\n size = "32"\n[chardev "com1"]\n backend = "socket"\n fd = "serial"\n server = "on"\n wait = "off"\n'
        '[martlet]\n qmp = "fd:qmp,server=on,wait=off"\n vnc = "fd:screen"\n serial = "chardev:com1"\n S = "on"\n'
        ' net = "none"\n')
    numbers = [server.fileno() for server in servers.values()]
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, ",".join(map(str, numbers)), ":".join(servers), str(MARTLET), "-name",
         "vm1", "-readconfig", str(config)],
        pass_fds=numbers, env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}, stderr=subprocess.PIPE, text=True)
    try:
        message = notify.recv(4096).decode()
        assert "READY=1\n" in message and f"MAINPID={process.pid}\n" in message and "vm1" in message
        assert b'"QMP"' in read_until(early, b"\n")
        assert read_until(connect(tmp_path / "screen"), b"\n") == b"RFB 003.008\n"
        connect(tmp_path / "serial").close()
        environment = pathlib.Path(f"/proc/{process.pid}/environ").read_bytes()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert b"STOPPING=1" in notify.recv(4096)
        # They are systemd's, not ours to remove.
        assert all((tmp_path / name).exists() for name in servers)
        assert environment
    finally:
        process.kill()
        process.stderr.close()


def test_a_socket_that_was_not_passed(tmp_path):
    for arguments in [["-qmp", "fd:qmp,server=on"], ["-chardev", "socket,id=a,fd=qmp,server=on"], ["-vnc", "fd:qmp"]]:
        result = run("-S", "-m", "16", *arguments)
        assert result.returncode in (1, 2)
        assert "'qmp'" in result.stderr and "systemd" in result.stderr


def test_the_unit_is_understood(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    (tmp_path / "martlet").symlink_to(MARTLET)
    text = (ROOT / "Packaging/martlet@.service").read_text().replace("@bindir@", str(tmp_path))
    unit = tmp_path / "martlet@test.service"
    unit.write_text(text.replace("man:martlet(1)", "https://example.org"))
    result = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert "martlet@test.service" not in result.stderr, result.stderr


def everything(directory):
    """Options that leave something on the host, each kind of it."""
    return [
        "-vnc", f"unix:{directory}/vnc", "-qmp", f"unix:{directory}/qmp,server=on,wait=off", "-monitor",
        f"unix:{directory}/monitor,server=on,wait=off", "-serial", f"unix:{directory}/serial,server=on,wait=off",
        "-pidfile", directory / "pid", "-snapshot", "-m", "32", "-net", "none",
    ]


def ends(kind, process, directory):
    if isinstance(kind, signal.Signals):
        process.send_signal(kind)
    elif kind == "quit":
        client = connect(directory / "monitor")
        read_until(client, b"(qemu) ")
        client.sendall(b"quit\n")
    # Else the guest switches off by itself.


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, "quit", "power-off"], ids=str)
def test_nothing_is_left_behind(tmp_path, assemble, kind):
    files = tmp_path / "run"
    files.mkdir()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    image = assemble("boot-sectors/soft-off.asm" if kind == "power-off" else "boot-sectors/serial.asm", size=1 << 20)
    process = subprocess.Popen(
        [str(MARTLET), str(image), *map(str, everything(files))], stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(temporary)})
    try:
        if kind != "power-off":
            wait_until(lambda: (files / "pid").exists() and (files / "serial").exists())
            client = connect(files / "serial")
            ends(kind, process, files)
        begin = time.monotonic()
        assert process.wait(60) == 0
        if kind != "power-off":
            assert time.monotonic() - begin < 5
            client.close()
        assert list(files.iterdir()) == [] and list(temporary.iterdir()) == []
    finally:
        process.kill()


def test_what_a_killed_process_left_is_taken_over(tmp_path):
    files = tmp_path / "run"
    files.mkdir()
    for attempt in range(2):
        process = subprocess.Popen(
            [str(MARTLET), "-S", *map(str, everything(files))], stderr=subprocess.PIPE, text=True)
        wait_until(lambda: (files / "pid").exists() and (files / "pid").read_text() == f"{process.pid}\n")
        connect(files / "qmp").close()
        process.send_signal(signal.SIGKILL if attempt == 0 else signal.SIGTERM)
        assert process.wait(10) == (-signal.SIGKILL if attempt == 0 else 0)
        process.stderr.close()
    assert list(files.iterdir()) == []


def test_a_killed_client_changes_nothing(start, assemble, tmp_path):
    path = tmp_path / "serial"
    guest = start(assemble("boot-sectors/serial.asm", size=1 << 20), "-m", "32", "-serial",
                  f"unix:{path},server=on", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off")
    code = "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'x' * 100000); time.sleep(60)"
    for name in ["serial", "qmp"]:
        wait_until(lambda: (tmp_path / name).exists())
        client = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)])
        time.sleep(0.5)
        client.kill()
        client.wait()
    # What the killed one sent and nobody read does not keep the next one waiting.
    client = connect(path)
    client.sendall(b"hello\n")
    read_until(client, b"HELLO\n")
    assert b"QMP" in read_until(connect(tmp_path / "qmp"), b"\n")
    assert guest.terminate() == 0


def never_answers():
    """A port that lets nobody in: its queue is full."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    others = []
    for _ in range(4):
        other = socket.socket()
        other.setblocking(False)
        other.connect_ex(server.getsockname())
        others.append(other)
    time.sleep(0.2)
    return server, others


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
@pytest.mark.parametrize("state", ["paused", "waiting", "connecting", "reconnecting"])
def test_a_signal_ends_it_in_every_state(tmp_path, state, number):
    server, others = never_answers()
    port = server.getsockname()[1]
    arguments = {
        "paused": ["-S"], "waiting": ["-serial", f"unix:{tmp_path}/serial,server=on"],
        "connecting": ["-serial", f"tcp:127.0.0.1:{port}"],
        "reconnecting": ["-chardev", f"socket,id=c,host=127.0.0.1,port={port},reconnect=1", "-serial", "chardev:c"],
    }[state]
    process = subprocess.Popen(
        [str(MARTLET), "-m", "16", "-vnc", "none", "-net", "none", "-pidfile", str(tmp_path / "pid"), *arguments],
        stderr=subprocess.PIPE, text=True)
    try:
        if state == "waiting":
            wait_until(lambda: (tmp_path / "serial").exists())
        elif state == "connecting":
            time.sleep(1)
        else:
            wait_until(lambda: (tmp_path / "pid").exists())
        assert process.poll() is None
        begin = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - begin < 3
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.stderr.close()
        for other in [server, *others]:
            other.close()


def test_a_daemon_that_is_ended_while_it_waits_was_not_ready(tmp_path):
    path = tmp_path / "serial"
    process = subprocess.Popen(
        [str(MARTLET), "-daemonize", "-m", "16", "-vnc", "none", "-serial", f"unix:{path},server=on"],
        stderr=subprocess.DEVNULL)
    wait_until(path.exists)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    assert process.wait(10) == 1
    assert not path.exists()


def test_telnet_and_a_log(start, tmp_path):
    log = tmp_path / "log"
    guest = start("-S", "-m", "16", "-chardev",
                  f"socket,id=t,host=127.0.0.1,port=0,server=on,wait=off,telnet=on,logfile={log}",
                  "-mon", "chardev=t", vnc=False, seabios_log=False)
    port = guest.wait_for(r"t is on telnet:127.0.0.1:(\d+)", guest.errors).group(1)
    client = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
    # Will echo, will suppress go-ahead, will and do binary.
    assert read_until(client, b"(qemu) ").startswith(bytes([255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0]))
    # A window size nobody asked for, and a line as Telnet ends it.
    client.sendall(bytes([255, 251, 31]) + b"info status\r\0")
    answer = read_until(client, b"(qemu) ")
    assert bytes([255, 254, 31]) in answer and b"prelaunch" in answer
    assert guest.terminate() == 0
    assert "prelaunch" in log.read_text() and "\xff" not in log.read_text(errors="replace")


def test_a_file_starts_the_same_machine(start, tmp_path):
    config = tmp_path / "vm.conf"
    options = ["-m", "48", "-S", "-name", 'my "guest"', "-nodefaults", "-chardev",
               f"socket,id=m,path={tmp_path}/m,server,nowait", "-mon", "m,mode=readline", "-vnc", "none", "-uuid",
               "c7a5fdbd-edaf-9455-926a-d65c16db1809"]
    written = run(*options, "-writeconfig", config, "--print-config")
    assert written.returncode == 0
    again = run("-readconfig", config, "--print-config")
    assert again.stdout == written.stdout and "my \"guest\"" in again.stdout
    assert run("-readconfig", config, "-writeconfig", "-", "--print-config").stdout.startswith(config.read_text())
    guest = start("-readconfig", config, vnc=None, seabios_log=False)
    client = connect(tmp_path / "m")
    read_until(client, b"(qemu) ")
    client.sendall(b"info config\n")
    shown = read_until(client, b"(qemu) ").decode().replace("\r\n", "\n")
    # The test itself adds an option.
    for line in config.read_text().splitlines():
        assert line in shown
    assert guest.terminate() == 0
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("[memory]\nsize = 12\n")
    result = run("-readconfig", wrong)
    assert result.returncode == 2 and f"{wrong}:2:" in result.stderr


def test_help_of_everything():
    assert "pc-i440fx" in run("-machine", "help").stdout
    assert "usb=" in run("-M", "pc,help").stdout
    assert "x86 max" in run("-cpu", "help").stdout
    assert 'name "ide-hd", bus IDE' in run("-device", "help").stdout
    assert "drive=<str>" in run("-device", "ide-hd,help").stdout
    assert "socket" in run("-chardev", "help").stdout
    for kind, word in [("man", ".TH MARTLET 1"), ("bash", "complete -F"), ("zsh", "#compdef martlet"), ("fish", "complete -c")]:
        result = run("--generate", kind)
        assert result.returncode == 0 and word in result.stdout
