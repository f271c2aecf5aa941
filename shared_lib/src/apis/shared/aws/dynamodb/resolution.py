"""Where the service is, how to get there, and who we are: all by botocore's own resolution.

Importing this module imports botocore, and everything in it blocks: it runs in a worker thread.
"""

import os
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.loaders import create_loader
from botocore.utils import get_environ_proxies

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint; `host` is what the Host header says of it."""

    url: str
    host: str
    path: str
    region: str
    proxy: str | None
    tls: ssl.SSLContext | None


def resolve_target(region: str) -> Target:
    """From the variables and the profile that boto3 reads: endpoint, proxy, certificates."""
    session = _session()
    url, signing_region = _endpoint(session, region)
    parts = urlsplit(url)
    proxy: str | None = ProxyConfiguration(get_environ_proxies(url)).proxy_url_for(url)
    speaks_tls = parts.scheme == "https" or (proxy or "").startswith("https:")
    return Target(
        url=url,
        host=_host(parts.hostname or "", parts.port, parts.scheme),
        path=parts.path or "/",
        region=signing_region,
        proxy=proxy,
        tls=_tls(session) if speaks_tls else None,
    )


def find_credentials() -> Credentials | None:
    """The first that the chain finds: environment, profile, SSO, web identity, container, instance. None: none."""
    found: Credentials | None = _session().get_credentials()
    return found


# Reading the service's description takes a tenth of a second, and it never changes.
_loaders = lru_cache(create_loader)


def _session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register_component("data_loader", _loaders(session.get_config_variable("data_path")))
    return session


def _endpoint(session: botocore.session.Session, region: str) -> tuple[str, str]:
    """Address and signing region of the request that a client of botocore would send; none is sent.

    The endpoint of the account, which botocore prefers where the credentials name one, is left aside: it is the same
    service, and the credentials are not known yet.
    """
    client: Any = session.create_client(  # Any: the stubs of botocore know no operations
        "dynamodb",
        region_name=region,
        config=Config(account_id_endpoint_mode="disabled"),
        aws_access_key_id="unused",
        aws_secret_access_key="unused",  # noqa: S106 - signs the request that is never sent
    )
    requests: list[AWSRequest] = []

    def instead_of_sending(request: AWSRequest, **_: object) -> AWSResponse:
        requests.append(request)
        return AWSResponse(str(request.url), 200, HTTPHeaders(), _NoBody())

    client.meta.events.register("before-send.dynamodb.ListTables", instead_of_sending)
    client.list_tables()
    client.close()
    credential = str(requests[0].headers["Authorization"])
    return str(requests[0].url), credential.split("/")[2]


class _NoBody:
    def stream(self, **_: Any) -> list[bytes]:  # Any: the raw response of urllib3 takes more than matters here
        return [b"{}"]


def _host(name: str, port: int | None, scheme: str) -> str:
    host = f"[{name}]" if ":" in name else name
    return host if port in {None, _DEFAULT_PORTS.get(scheme)} else f"{host}:{port}"


def _tls(session: botocore.session.Session) -> ssl.SSLContext:
    chosen = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(True)
    bundle = Path(str(chosen))
    if bundle.is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
