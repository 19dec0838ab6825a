"""Stands between a scraper and an exporter, and notes what was negotiated."""
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from web import ask, connect

PASSED_ON = ("Accept", "Accept-Encoding")


@dataclass(frozen=True)
class Exchange:
    accept: str
    content_type: str
    content_encoding: str | None


class Recorder:
    """Passes GET on to a port, with other headers where some are given."""

    def __init__(self, exporter_port, headers=None):
        self.exchanges = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(exporter_port, headers or {}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self):
        return self._server.server_port

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self, exporter_port, replaced):
        exchanges = self.exchanges

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked = {name: self.headers[name] for name in PASSED_ON if self.headers[name]} | replaced
                status, headers, body = ask(connect(exporter_port), self.path, asked)
                encoding = headers["Content-Encoding"]
                exchanges.append(Exchange(asked.get("Accept", ""), headers["Content-Type"], encoding))
                self.send_response(status)
                self.send_header("Content-Type", headers["Content-Type"])
                self.send_header("Content-Length", str(len(body)))
                if encoding:
                    self.send_header("Content-Encoding", encoding)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler
