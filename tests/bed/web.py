"""HTTP requests to the bed's servers on this host, never by way of a proxy."""
import http.client
from dataclasses import dataclass

SECONDS = 10


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


def ask(connection, path, headers=None, method="GET"):
    """Status, headers and bytes of one answer; the connection is closed."""
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def connect(port, host="127.0.0.1"):
    return http.client.HTTPConnection(host, port, timeout=SECONDS)


def get(port, path, headers=None):
    status, headers, body = ask(connect(port), path, headers)
    return Answer(status, headers, body.decode(errors="replace"))


def answers_ok(port, path):
    try:
        return get(port, path).status == 200
    except (OSError, http.client.HTTPException):
        return False
