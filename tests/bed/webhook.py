"""A receiver for Alertmanager: keeps each notification as one JSON line, prints what it says.

usage: webhook.py PORT FILE

GET answers with the lines so far. Pages are printed with the word PAGE, everything else with
the word ticket: what matters is whether somebody would have been woken.
"""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIMIT_BYTES = 4 * 1024 * 1024


def sentence(alert):
    labels, notes = alert["labels"], alert.get("annotations", {})
    word = "PAGE" if labels.get("severity") == "page" else "ticket"
    return f"{word} {alert['status']} {labels.get('alertname', '?')}: {notes.get('summary', '')}"


class Receiver(BaseHTTPRequestHandler):
    path_of_log = None
    lock = threading.Lock()  # guards the log file

    def do_POST(self):
        size = min(int(self.headers.get("Content-Length", 0)), LIMIT_BYTES)
        notification = json.loads(self.rfile.read(size))
        self.keep({"arrived": time.time(), "path": self.path, "notification": notification})
        for alert in notification["alerts"]:
            print(time.strftime("%H:%M:%S"), sentence(alert), flush=True)
        self.answer(b"")

    def do_GET(self):
        with self.lock, open(self.path_of_log, "rb") as log:
            self.answer(log.read())

    def keep(self, entry):
        with self.lock, open(self.path_of_log, "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # the notifications are the log


def main():
    Receiver.path_of_log = sys.argv[2]
    open(Receiver.path_of_log, "a", encoding="utf-8").close()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()


if __name__ == "__main__":
    main()
