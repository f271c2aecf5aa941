"""Bytes on the wire, read from a raw socket."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from devstack.services import Service, running_service


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running_service("tests.integration.http.service:app", {}, health_path="/health") as running:
        yield running


def exchange(service: Service, request: str) -> tuple[list[str], bytes]:
    """Status line and headers in lower case, and the body, until the service closes the connection."""
    address = urlsplit(service.base_url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        received = b""
        while block := connection.recv(65536):
            received += block
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode().lower().split("\r\n"), body


EVENTS = b'event: tick\ndata: {"n": 1}\n\nevent: tick\ndata: {"n": 2}\n\nevent: done\ndata: {}\n\n'


@pytest.mark.parametrize("accepts", ["", "Accept-Encoding: gzip\n"], ids=["plain", "gzip"])
def test_a_client_of_http_1_0_gets_a_stream_without_chunks(service: Service, accepts: str) -> None:
    headers, body = exchange(service, f"GET /stream HTTP/1.0\nHost: x\n{accepts}\n")
    assert headers[0] == "http/1.1 200 ok"
    assert "content-type: text/event-stream; charset=utf-8" in headers
    assert f"content-length: {len(EVENTS)}" in headers
    assert not [one for one in headers if one.startswith(("transfer-encoding", "content-encoding"))]
    assert body == EVENTS


def test_a_client_of_http_1_1_gets_it_event_by_event(service: Service) -> None:
    headers, body = exchange(service, "GET /stream HTTP/1.1\nHost: x\nConnection: close\n\n")
    assert "transfer-encoding: chunked" in headers
    assert body.count(b"\r\nevent: ") == 3


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("accepts", ["", "Accept-Encoding: gzip\n"], ids=["plain", "gzip"])
def test_other_answers_name_their_length(service: Service, version: str, accepts: str) -> None:
    headers, body = exchange(service, f"GET /long HTTP/{version}\nHost: x\nConnection: close\n{accepts}\n")
    assert f"content-length: {len(body)}" in headers
    assert ("content-encoding: gzip" in headers) == bool(accepts)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_no_content_is_no_content(service: Service, version: str) -> None:
    headers, body = exchange(service, f"GET /suppressing HTTP/{version}\nHost: x\nConnection: close\n\n")
    assert headers[0] == "http/1.1 204 no content"
    assert not [one for one in headers if one.startswith(("content-", "transfer-encoding"))]
    assert body == b""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_head_has_the_headers_of_get_and_no_body(service: Service, version: str) -> None:
    headers, body = exchange(service, f"HEAD /health HTTP/{version}\nHost: x\nConnection: close\n\n")
    assert headers[0] == "http/1.1 200 ok"
    assert {"content-type: application/json", "content-length: 9"} <= set(headers)
    assert body == b""
