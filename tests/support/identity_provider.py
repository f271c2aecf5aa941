"""The identity provider of the tests: a proxy on loopback that answers in the place of login.microsoftonline.com.

A service that gets `IdentityProvider.environment` reaches it through `HTTPS_PROXY` and trusts its certificate through
`SSL_CERT_FILE`, so nothing in the service knows that this is a test. Run by hand, with the roles of the token that it
prints: `python -m tests.support.identity_provider Staff Admin`.
"""

import asyncio
import json
import shlex
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.support.certificates import server_context
from tests.support.threaded_server import ThreadedServer

HOST: Final = "login.microsoftonline.com"
EMPLOYEE_NUMBER: Final = "http://schemas.boisestate.edu/claims/employeenumber"
USER_ID: Final = "123456789"
CLIENT_SECRET: Final = "provider-client-secret"
REDIRECT_URI: Final = "https://a/cb"
TOKENS: Final = {"access_token": "a", "refresh_token": "r", "expires_in": 3599, "scope": "x"}
"""What the token endpoint answers while no test says otherwise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers; `delay` in seconds, `hangs` never answers, `drips` sends one byte per second."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hangs: bool = False
    drips: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the provider saw it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


class IdentityProvider(ThreadedServer):
    """Serves its keys; `answers` overrides any path, `refuses` drops every connection, `requests` is what it saw.

    `reset()` makes it healthy again and forgets the requests; the keys stay.
    """

    def __init__(self, folder: Path, *, tenant_id: str = "ten", client_id: str = "cli") -> None:
        super().__init__()
        self.tenant_id = tenant_id
        self.client_id = client_id
        self.keys_path = f"/{tenant_id}/discovery/v2.0/keys"
        self.token_path = f"/{tenant_id}/oauth2/v2.0/token"
        self.answers: dict[str, Answer] = {}
        self.refuses = False
        self.requests: list[Request] = []
        self.key = SigningKey()
        self._published = [self.key]
        self._ca_file = folder / "ca.pem"
        self._context = server_context(HOST, self._ca_file)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a service that signs its users in here."""
        proxy = f"http://127.0.0.1:{self.port}"
        return {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "SSL_CERT_FILE": str(self._ca_file),
            "ENTRA_TENANT_ID": self.tenant_id,
            "ENTRA_CLIENT_ID": self.client_id,
            "ENTRA_CLIENT_SECRET": CLIENT_SECRET,
            "ENTRA_REDIRECT_URI": REDIRECT_URI,
        }

    def token(self, *with_roles: str, key: "SigningKey | None" = None, headers: Any = None, **claims: Any) -> str:
        """A valid access token with these roles, except for `claims`; a claim given as None is left out."""
        now = int(time.time())
        valid = {
            "iss": f"https://{HOST}/{self.tenant_id}/v2.0",
            "aud": f"api://{self.client_id}",
            "scp": "Read",
            "sub": "subject",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "email": "Ada@Example.edu",
            "name": "Ada Lovelace",
            "roles": list(with_roles),
            EMPLOYEE_NUMBER: USER_ID,
        }
        chosen = {name: value for name, value in (valid | claims).items() if value is not None}
        return (key or self.key).sign(chosen, headers)

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is no longer published."""
        self.key = SigningKey()
        self._published = [self.key]

    def publish(self, *keys: "SigningKey") -> None:
        """Publish these keys besides the current one."""
        self._published = [self.key, *keys]

    def key_set(self) -> bytes:
        return json.dumps({"keys": [key.published for key in self._published]}).encode()

    def issue(self, body: Any = None, status: int = 200, **headers: str) -> None:
        """What the token endpoint answers from now on: JSON, or the bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[self.token_path] = Answer(content, status=status, headers=named)

    def token_forms(self) -> list[dict[str, str]]:
        """What the token endpoint was asked."""
        return [request.form for request in self.requests if request.path == self.token_path]

    def key_set_fetches(self) -> int:
        return sum(request.path == self.keys_path for request in self.requests)

    def reset(self) -> None:
        self.answers = {}
        self.refuses = False
        self.requests = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.refuses:
            await self._converse(reader, writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connect = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if not connect.startswith(f"CONNECT {HOST}:443 "):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(self._context)
        request = await _read_request(reader)
        self.requests.append(request)
        await self._answer(writer, self._answer_to(request))

    def _answer_to(self, request: Request) -> Answer:
        if request.path in self.answers:
            return self.answers[request.path]
        if request.path == self.keys_path:
            return Answer(self.key_set())
        if request.path == self.token_path:
            return Answer(json.dumps(TOKENS).encode())
        return Answer(b"{}", status=404)

    @staticmethod
    async def _answer(writer: asyncio.StreamWriter, answer: Answer) -> None:
        if answer.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(answer.delay)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(answer.body)), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} Answer", "Connection: close", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        for byte in answer.body if answer.drips else ():
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
        writer.write(b"" if answer.drips else answer.body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


class SigningKey:
    """An RSA key of the provider."""

    def __init__(self, kid: str | None = None) -> None:
        self.kid = kid or uuid.uuid4().hex
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def published(self) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"kty": "RSA", "use": "sig", "kid": self.kid, "n": public["n"], "e": public["e"]}

    def sign(self, claims: Mapping[str, Any], headers: Mapping[str, Any] | None = None) -> str:
        return jwt.encode(dict(claims), self.private, algorithm="RS256", headers={"kid": self.kid, **(headers or {})})


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, query, headers, body)


@contextmanager
def identity_provider(*, tenant_id: str = "ten", client_id: str = "cli") -> Iterator[IdentityProvider]:
    with (
        tempfile.TemporaryDirectory(prefix="identity-provider-") as folder,
        IdentityProvider(Path(folder), tenant_id=tenant_id, client_id=client_id).running() as provider,
    ):
        yield provider


def main() -> None:
    with identity_provider() as provider:
        variables = {**provider.environment, "TOKEN": provider.token(*(sys.argv[1:] or ["Staff"]))}
        sys.stdout.write("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
