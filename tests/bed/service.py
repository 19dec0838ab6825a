"""The program as a service manager starts it: told about by a socket, with sockets of its own."""
import ctypes
import os
import socket
import subprocess
import time
from pathlib import Path

from process import wait_until

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207


class NotifySocket:
    """What sd_notify(3) sends; messages with the time of their arrival."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind("")  # an abstract address that is free
        self._socket.setblocking(False)
        self.messages = []

    @property
    def environment(self):
        return {"NOTIFY_SOCKET": "@" + self._socket.getsockname()[1:].decode()}

    def receive(self):
        """All messages so far, as lists of lines."""
        while True:
            try:
                self.messages.append((time.monotonic(), self._socket.recv(65536).decode().split("\n")))
            except BlockingIOError:
                return [lines for _, lines in self.messages]

    def wait_for(self, text, seconds=10, after=0):
        """The index of the first message from number `after` on that has this in its first line."""

        def found():
            messages = self.receive()
            matching = (i for i in range(after, len(messages)) if text in messages[i][0])
            return next(((i,) for i in matching), None)

        return wait_until(found, seconds, f"no message {text} among {self.messages[after:]}")[0]

    def close(self):
        self._socket.close()


class Service:
    """One run of the program, as the servers' account."""

    def __init__(self, place, argv, environment):
        self.log = place.path("log", f"service-{time.monotonic_ns()}.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**place.environment(), **environment},
                cwd="/",
                **place.account.popen_arguments(),
            )

    @property
    def said(self):
        return self.log.read_text(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(10)

    def thread(self, name):
        """The id of its thread of that name."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return next(int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().strip() == name)


class FrozenThread:
    """One thread of a process that stands still while the others go on, as in a hang."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        self._ptrace(PTRACE_SEIZE)
        self._ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.thread, 0x40000000)  # __WALL: a thread is no child of ours
        return self

    def __exit__(self, *_):
        self._ptrace(PTRACE_DETACH)

    def _ptrace(self, request):
        library = ctypes.CDLL(None, use_errno=True)
        library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        library.ptrace.restype = ctypes.c_long
        if library.ptrace(request, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace of thread {self.thread}")
