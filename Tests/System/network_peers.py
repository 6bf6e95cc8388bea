# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands at the other end of a guest's network in tests: servers, monitors, a network namespace, captures."""

import http.server
import json
import os
import shlex
import socket
import struct
import subprocess
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server(http.server.ThreadingHTTPServer):
    """Hands out `content`, and takes what is put."""

    def __init__(self, content):
        self.content = content
        self.taken = None
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", len(self.server.content))
        self.end_headers()
        self.wfile.write(self.server.content)

    def do_PUT(self):
        self.server.taken = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Monitor:
    """A QMP client that does one command after the other."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        # The machine may be about to open it.
        deadline = time.monotonic() + 20
        while self.socket.connect_ex(str(path)) != 0:
            assert time.monotonic() < deadline, path
            time.sleep(0.02)
        self.stream = self.socket.makefile("rw")
        self.stream.readline()
        self.events = []
        self.run("qmp_capabilities")

    def ask(self, command, arguments, descriptors=()):
        message = json.dumps({"execute": command, "arguments": arguments}) + "\n"
        socket.send_fds(self.socket, [message.encode()], descriptors)
        while "event" in (answer := json.loads(self.stream.readline())):
            self.events.append(answer)
        return answer

    def run(self, command, **arguments):
        answer = self.ask(command, arguments)
        assert "return" in answer, answer
        return answer["return"]

    def pass_descriptor(self, name, descriptor):
        assert "return" in self.ask("getfd", {"fdname": name}, [descriptor])

    def error(self, command, **arguments):
        return self.ask(command, arguments)["error"]["desc"]

    def event(self, name):
        """The data of the next event of that name; others are passed by."""
        while True:
            event = self.events.pop(0) if self.events else json.loads(self.stream.readline())
            if event.get("event") == name:
                return event.get("data")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stream.close()
        self.socket.close()


class Namespace:
    """A network namespace that lives as long as a process of ours in it."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == own:
            time.sleep(0.01)
        self.prefix = ["nsenter", "-t", str(self.holder.pid), "-n"]

    def run(self, command, **options):
        return subprocess.run(
            [*self.prefix, *shlex.split(command)], check=True, capture_output=True, text=True, timeout=300, **options
        ).stdout

    def start(self, *command, **options):
        return subprocess.Popen([*self.prefix, *command], **options)

    def close(self):
        self.holder.kill()
        self.holder.wait()


def read_capture(path):
    """The frames of a file in libpcap's format."""
    data = path.read_bytes()
    magic, _, _, _, _, _, link = struct.unpack("=IHHiIII", data[:24])
    assert (magic, link) == (0xA1B2C3D4, 1)
    position = 24
    while position < len(data):
        _, _, kept, length = struct.unpack("=IIII", data[position:position + 16])
        assert kept == min(length, 100)
        yield data[position + 16:position + 16 + kept]
        position += 16 + kept
