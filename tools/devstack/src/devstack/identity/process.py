"""Starting the provider, and what the services have to know of it."""

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result
from devstack import processes
from devstack.environment import plumbing
from devstack.ports import LOOPBACK, free_port
from devstack.processes import Child, or_raise

TENANT_ID = "00000000-0000-4000-8000-00000000d5c0"
CLIENT_ID = "local-application"
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LocalIdentity:
    """A running provider."""

    url: str
    client_secret: str

    @property
    def key_set_url(self) -> str:
        return f"{self.url}/{TENANT_ID}/discovery/v2.0/keys"

    @property
    def oauth_url(self) -> str:
        """`/authorize`, `/token` and `/revoke` are below it."""
        return f"{self.url}/{TENANT_ID}/oauth2/v2.0"

    def environment(self, redirect_uri: str | None = None) -> dict[str, str]:
        """What makes a service sign its users in here. Without `redirect_uri` a sign-in ends on a page of the provider
        that shows what to do with the code."""
        return {
            "ENABLE_AUTHENTICATION": "true",
            "ENTRA_AUTHORITY": self.url,
            "ENTRA_TENANT_ID": TENANT_ID,
            "ENTRA_CLIENT_ID": CLIENT_ID,
            "ENTRA_CLIENT_SECRET": self.client_secret,
            "ENTRA_REDIRECT_URI": redirect_uri or f"{self.url}/signed-in",
        }


def start(port: int, app_url: str, environment: Mapping[str, str], log_dir: Path) -> tuple[Child, LocalIdentity]:
    """The process and what `ready` waits for; `environment` may name the roles and claims of an institution."""
    identity = LocalIdentity(f"http://{LOOPBACK}:{port}", uuid.uuid4().hex)
    arguments = (str(port), TENANT_ID, CLIENT_ID, identity.client_secret, app_url)
    child = processes.start(
        "identity", "devstack.identity.server", *arguments, environment=environment, log_dir=log_dir
    )
    return child, identity


def ready(child: Child, identity: LocalIdentity) -> Result[float, ErrorDetail]:
    """Seconds until it publishes its keys."""
    return processes.wait_until_answers(child, identity.key_set_url, timeout=_START_SECONDS)


@contextmanager
def local_identity(app_url: str = "http://127.0.0.1:8000") -> Iterator[LocalIdentity]:
    """A provider in a process of its own, for tests."""
    with tempfile.TemporaryDirectory(prefix="devstack-identity-") as log_dir:
        child, identity = start(free_port(), app_url, plumbing(), Path(log_dir))
        try:
            or_raise(ready(child, identity))
            yield identity
        finally:
            processes.stop([child])
