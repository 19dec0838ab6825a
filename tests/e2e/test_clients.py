"""Clients that misbehave: slow, many, huge. The pollers and the next scrape must not notice."""
import resource
import socket
import time

import pytest


def well(metrics):
    return metrics.value("pgbackup_postgres_up") == 1 and metrics.values("pgbackrest_repo_up") == [1, 1]


def connect(port, greeting=b""):
    client = socket.create_connection(("127.0.0.1", port), timeout=5)
    if greeting:
        client.sendall(greeting)
    return client


def polls(exporter):
    return exporter.metrics().value("pgbackup_collector_last_attempt_timestamp_seconds", collector="archiver")


def test_200_slow_clients_do_not_keep_prometheus_out(bed, exporter):
    exporter.wait_for(well, 15)
    slow = [connect(exporter.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ") for _ in range(200)]
    try:
        before = polls(exporter)
        for _ in range(3):
            for client in slow:
                client.sendall(b"x")
            assert exporter.get("/metrics").status == 200
            time.sleep(1)
        assert polls(exporter) > before
    finally:
        for client in slow:
            client.close()


def test_a_request_line_of_a_megabyte_is_refused(bed, exporter):
    with connect(exporter.port) as client:
        try:
            client.sendall(b"GET /" + b"a" * 1024 * 1024 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            pass  # it did not want to hear the rest
        try:
            answer = client.recv(200)
        except OSError:
            answer = b""
    assert answer == b"" or answer.split()[1] in (b"413", b"414", b"431", b"400")
    assert exporter.get("/-/healthy").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused_with_what_is_allowed(exporter, method):
    with connect(exporter.port, f"{method} /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()) as client:
        head = client.recv(4096).decode()
    assert " 405 " in head.splitlines()[0]
    assert "Allow: GET, HEAD" in head


def test_head_says_what_get_would_send(exporter):
    with connect(exporter.port, b"HEAD /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as client:
        answer = b"".join(iter(lambda: client.recv(4096), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert " 200 " in head.splitlines()[0]
    assert f"Content-Length: {len(exporter.get('/-/healthy').text)}" in head
    assert body == ""


def test_an_unknown_path_is_404(exporter):
    assert exporter.get("/nothing-here").status == 404


def test_clients_that_take_every_descriptor_do_not_stop_the_pollers(bed, exporter):
    """Connections are limited so that the pollers' own pipes and sockets always find a place."""
    exporter.wait_for(well, 15)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = min(900, hard - 100)
    clients = []
    try:
        for _ in range(wanted):
            try:
                clients.append(connect(exporter.port))
            except OSError:
                break
        time.sleep(3)
        for client in clients:
            client.close()
        clients.clear()
        metrics = exporter.wait_for(well, 30)
        last = metrics.value("pgbackup_collector_last_success_timestamp_seconds", collector="archiver")
        assert time.time() - last < 5
        assert metrics.values("pgbackup_collector_failures_total") == [0] * len(
            metrics.values("pgbackup_collector_failures_total")
        )
    finally:
        for client in clients:
            client.close()
