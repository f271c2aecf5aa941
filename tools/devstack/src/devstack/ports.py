"""Ports on the loopback interface."""

import random
import socket

from apis.shared.errors import ErrorDetail
from apis.shared.result import ErrorTable, Result, Success, attempt
from devstack.failures import refusal

LOOPBACK = "127.0.0.1"
# Below the range that outgoing connections take their ports from: nothing slips in between the check and the use.
_LOWEST, _HIGHEST = 20000, 32000


def bindable(port: int, *, option: str | None = None) -> Result[int, ErrorDetail]:
    """`port` itself when nothing listens on it; the failure names the `option` that chooses another one."""
    advice = f" Choose another one with {option}." if option is not None else ""
    taken = refusal(f"Port {port} is taken by another program.{advice}")
    return attempt(_bind, port, errors=ErrorTable.of((OSError, lambda _: taken)))


def free_port() -> int:
    while True:
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - no secret, only unlikely to be chosen twice
        if bindable(port) == Success(port):
            return port


def _bind(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
    return port
