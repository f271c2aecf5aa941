"""Ports on the loopback interface."""

import random
import socket

from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable, Result, attempt

LOOPBACK = "127.0.0.1"
# Below the range that outgoing connections take their ports from: nothing slips in between the check and the use.
_LOWEST, _HIGHEST = 20000, 32000
_TAKEN = ErrorTable.of((OSError, service_unavailable))


def bindable(port: int) -> Result[int, ErrorDetail]:
    """`port` itself when nothing listens on it."""
    return attempt(_bind, port, errors=_TAKEN)


def free_port() -> int:
    while True:
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - no secret, only unlikely to be chosen twice
        if bindable(port).map(lambda _: True).value_or(False):
            return port


def _bind(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
    return port
