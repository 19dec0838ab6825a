"""Chromium without a window, told what to do over two pipes (DevTools protocol, a NUL after each message)."""
import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

SECONDS = 20
AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
FLAGS += ["--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage"]


class BrowserError(Exception):
    """The browser did not do what was asked."""


def high(descriptor):
    """The same, out of the way of those that the browser wants."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 100)
    os.close(descriptor)
    return moved


def pipes():
    """Two pipes: (we write, we read), (the other reads, the other writes)."""
    read_there, write_here = os.pipe()
    read_here, write_there = os.pipe()
    return (high(write_here), high(read_here)), (high(read_there), high(write_there))


class Browser:
    """One page. Used as a context: at the end the process and its folder are gone."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="pgbackup-browser-")
        ours, theirs = pipes()
        self.write, self.read = ours

        def take_pipes():  # the browser reads 3 and writes 4
            os.dup2(theirs[0], 3)
            os.dup2(theirs[1], 4)

        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={self.folder}"],
            pass_fds=(3, 4),
            preexec_fn=take_pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in theirs:
            os.close(end)
        self.rest = b""
        self.number = 0
        self.session = None
        self.complaints = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Audits"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        os.close(self.write)
        os.close(self.read)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _next(self, deadline):
        while b"\0" not in self.rest:
            if not select.select([self.read], [], [], max(0, deadline - time.monotonic()))[0]:
                raise BrowserError("the browser does not answer")
            piece = os.read(self.read, 1 << 20)
            if not piece:
                raise BrowserError("the browser has ended")
            self.rest += piece
        text, _, self.rest = self.rest.partition(b"\0")
        message = json.loads(text)
        if message.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Audits.issueAdded"):
            self.complaints.append(message["params"])
        return message

    def _wait(self, is_it):
        deadline = time.monotonic() + SECONDS
        while True:
            message = self._next(deadline)
            if is_it(message):
                return message

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        answer = self._wait(lambda message: message.get("id") == self.number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def look(self, width=1920, scheme="light"):
        """As a screen of that width shows it, in the colours that its owner prefers."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, address):
        self.complaints.clear()
        self.ask("Page.navigate", url=address)
        self._wait(lambda message: message.get("method") == "Page.loadEventFired")

    def run(self, script):
        """The value of a script, waited for when it is a promise."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(answer["exceptionDetails"]["exception"].get("description", script[:80]))
        return answer["result"].get("value")

    def texts(self, selector):
        return self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText.trim())")

    def accessibility(self):
        """What axe-core finds wrong: a line for each."""
        if not self.run("typeof axe === 'object'"):
            self.run(AXE.read_text() + "\n;0")
        found = self.run("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
        return [f"{rule['id']}: {node['html'][:150]}" for rule in found["violations"] for node in rule["nodes"]]

    def picture(self, path):
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(shot["data"]))
