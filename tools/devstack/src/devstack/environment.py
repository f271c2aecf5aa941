"""The environment that child processes start with."""

import os
from collections.abc import Mapping
from typing import Final

# What a Python process needs from its surroundings, and nothing that configures the services.
_PLUMBING = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_LOOPBACK = ("127.0.0.1", "localhost")

REGION: Final = "us-west-2"
# The embedded endpoint checks no credentials, but the SDK signs every request with some.
DUMMY_CREDENTIALS: Mapping[str, str] = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def plumbing() -> dict[str, str]:
    """The variables of this process that are no configuration of the services: paths, locale, proxies, CA bundles."""
    return around_proxy({name: os.environ[name] for name in _PLUMBING if name in os.environ})


def caller() -> dict[str, str]:
    """All variables of this process."""
    return around_proxy(os.environ)


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what would send an AWS client anywhere else than to the embedded endpoint."""
    kept = {"AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"}
    return {name: value for name, value in environment.items() if not name.startswith("AWS_") or name in kept}


def around_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment`, with the proxy switched off for servers on this machine."""
    result = dict(environment)
    known = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    hosts = [host for host in known.split(",") if host]
    result["NO_PROXY"] = result["no_proxy"] = ",".join([*hosts, *(host for host in _LOOPBACK if host not in hosts)])
    return result
