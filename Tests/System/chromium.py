# SPDX-License-Identifier: GPL-2.0-or-later
"""A headless Chromium, driven over the DevTools protocol through a pair of pipes."""

import base64
import itertools
import json
import os
import select
import subprocess
import time


class Chromium:
    """One page of a browser. Messages are JSON ended by a zero byte, on the browser's descriptors 3 and 4."""

    def __init__(self, directory, url, width=1000, height=700):
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--hide-scrollbars", "--force-device-scale-factor=1",
                   f"--window-size={width},{height}", f"--user-data-dir={directory}", "--remote-debugging-pipe",
                   url]
        # The shell puts the pipes where the browser looks for them.
        shell = f'exec "$@" 3<&{requests} 4>&{answers}'
        with open(directory.with_suffix(".log"), "wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", shell, "-", *command], pass_fds=(requests, answers), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env={**os.environ, "HOME": str(directory)},
            )
        os.close(requests)
        os.close(answers)
        self.numbers = itertools.count(1)
        self.received = b""
        self.session = None
        deadline = time.monotonic() + 60
        while True:
            targets = self.call("Target.getTargets")["targetInfos"]
            page = next((target for target in targets if target["url"].startswith(url)), None)
            if page:
                break
            assert time.monotonic() < deadline, f"the browser does not open {url}: {targets}"
            time.sleep(0.2)
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]

    def call(self, method, **parameters):
        """Calls a method of the protocol and returns its result."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next_message()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def next_message(self, timeout=60):
        deadline = time.monotonic() + timeout
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.answers], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            received = os.read(self.answers, 1 << 20)
            assert received, "the browser has ended"
            self.received += received
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def press(self, character):
        """Presses and releases a letter's key."""
        key = {"code": f"Key{character.upper()}", "key": character,
               "windowsVirtualKeyCode": ord(character.upper())}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=character, **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def close(self):
        os.close(self.requests)
        os.close(self.answers)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(10)
