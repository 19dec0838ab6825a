"""HTTP requests to the bed's servers on this host, never by way of a proxy."""
import http.client
from dataclasses import dataclass

SECONDS = 10


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


def get(port, path, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode(errors="replace"))
    finally:
        connection.close()


def answers_ok(port, path):
    try:
        return get(port, path).status == 200
    except (OSError, http.client.HTTPException):
        return False
