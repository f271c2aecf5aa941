"""The process of the S3 server: `python -m devstack.object_server PORT DOMAIN [BUCKET,...]`.

Credentials are those of the environment. Everything is in a folder that is removed at the end.
"""

import ctypes
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from devstack.ports import LOOPBACK, free_port

# Parts of the server that has to listen somewhere, beside its S3 port.
_PARTS = ("s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port")
_MORE_PARTS = ("filer.port.grpc", "admin.port", "admin.port.grpc")
_PR_SET_PDEATHSIG = 1


def binary() -> Path:
    """Where the package puts it."""
    return Path(sysconfig.get_path("scripts")) / "weed"


def main() -> None:
    port, domain, buckets = sys.argv[1:4]
    options = {
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "bucket": buckets,
        "s3.port": port,
        "s3.domainName": domain,
        "s3.autoCreateBucket": "false",
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",
        **{part: str(free_port()) for part in (*_PARTS, *_MORE_PARTS)},
    }
    with tempfile.TemporaryDirectory(prefix="devstack-objects-") as folder:
        command = [str(binary()), "mini", f"-dir={folder}", *(f"-{name}={value}" for name, value in options.items())]
        server = subprocess.Popen(command, preexec_fn=_end_with_parent)  # noqa: PLW1509 - there is one thread that matters
        # Nothing is worth being written in order.
        signal.signal(signal.SIGTERM, lambda *_: server.kill())
        status = server.wait()
    sys.exit(0 if status == -signal.SIGKILL else status)


def _end_with_parent() -> None:
    """Also when this process is killed. The package is for Linux, which has that."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
