"""An S3 endpoint that misbehaves below or above TLS, in threads of this process.

A behaviour is a function of a connection and an SSLContext; most are made of handshake(), request()
and answer().
"""
import contextlib
import re
import socket
import ssl
import threading
import time

LISTING = b'<?xml version="1.0"?><ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>'
HANDSHAKE_SECONDS = 30


def handshake(connection, context):
    connection.settimeout(HANDSHAKE_SECONDS)
    return context.wrap_socket(connection, server_side=True)


def request(connection):
    """The head of a request, as text."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("closed within a request")
        head += more
    return head.decode()


def answer(status="200 OK", body=LISTING, headers=()):
    """A behaviour: answer each request so."""

    def behave(connection, context):
        with handshake(connection, context) as secure:
            request(secure)
            lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
            secure.sendall("\r\n".join(lines).encode() + body)

    return behave


def error(status, code, more=""):
    return answer(status, f"<Error><Code>{code}</Code>{more}</Error>".encode())


def only_prefix(prefix):
    """A policy that grants the listing of one prefix."""

    def behave(connection, context):
        with handshake(connection, context) as secure:
            granted = re.search(rf"[?&]prefix={re.escape(prefix)}[& ]", request(secure))
            body = LISTING if granted else b"<Error><Code>AccessDenied</Code></Error>"
            status = "200 OK" if granted else "403 Forbidden"
            secure.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return behave


def hang_before_tls(connection, context):
    connection.recv(65536)
    time.sleep(HANDSHAKE_SECONDS)


def hang_after_tls(connection, context):
    with handshake(connection, context) as secure:
        request(secure)
        time.sleep(HANDSHAKE_SECONDS)


def raw(output):
    """A behaviour: answer each request with these bytes and close."""

    def behave(connection, context):
        with handshake(connection, context) as secure:
            request(secure)
            secure.sendall(output)

    return behave


def endless(begin, piece, pause=0.0):
    """A behaviour: this beginning, then the same piece for ever."""

    def behave(connection, context):
        with handshake(connection, context) as secure:
            request(secure)
            secure.sendall(begin)
            while True:
                secure.sendall(piece)
                time.sleep(pause)

    return behave


def no_tls(connection, context):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def no_http(connection, context):
    with handshake(connection, context) as secure:
        request(secure)
        secure.sendall(b"220 mail.example ESMTP\r\n")


class HostileS3:
    """`with HostileS3(behave, key, certificate) as server:` listens at server.port."""

    def __init__(self, behave, key, certificate, address="127.0.0.1"):
        self.behave = behave
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.connections = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError, ssl.SSLError, ConnectionError, ValueError):
            self.behave(connection, self.context)
        connection.close()
