"""The command line of devstack."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

_DESCRIPTION = """\
Run the platform on this machine: an embedded AWS endpoint with all tables, a small local language model,
the App API and the Inference API. Ctrl-C stops everything."""


@dataclass(frozen=True, slots=True)
class Options:
    """Ports are where each part listens on 127.0.0.1; `aws` means the caller's AWS account."""

    app_port: int
    inference_port: int
    aws_port: int
    model_port: int
    identity_port: int
    objects_port: int
    aws: bool
    sign_in: bool
    model_url: str | None
    model_name: str | None
    verbose: bool


def parse(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(
        prog="devstack", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--app-port", type=_port, default=8000, metavar="PORT", help="App API (default: 8000)")
    parser.add_argument(
        "--inference-port", type=_port, default=8001, metavar="PORT", help="Inference API (default: 8001)"
    )
    parser.add_argument(
        "--aws-port", type=_port, default=8002, metavar="PORT", help="embedded AWS endpoint (default: 8002)"
    )
    parser.add_argument(
        "--model-port", type=_port, default=8003, metavar="PORT", help="local language model (default: 8003)"
    )
    parser.add_argument(
        "--identity-port", type=_port, default=8004, metavar="PORT", help="identity provider (default: 8004)"
    )
    parser.add_argument(
        "--objects-port",
        type=_port,
        default=8005,
        metavar="PORT",
        help="S3 server that checks signatures, where there is a package of it (default: 8005)",
    )
    parser.add_argument(
        "--sign-in",
        action="store_true",
        help="switch authentication on, with an identity provider on this machine that lets you choose who to be",
    )
    parser.add_argument(
        "--aws",
        action="store_true",
        help="use AWS with the credentials, region and table variables of the environment, no embedded endpoint",
    )
    parser.add_argument(
        "--model-url",
        metavar="URL",
        help="another OpenAI-compatible server instead of the local model, up to and including /v1; "
        "its key is taken from OPENAI_API_KEY",
    )
    parser.add_argument("--model-name", metavar="NAME", help="model to ask that server for (default: its first)")
    parser.add_argument("--verbose", action="store_true", help="show the logs of all parts here")
    given = parser.parse_args(arguments)
    if given.model_name is not None and given.model_url is None:
        parser.error("--model-name needs --model-url")
    options = Options(
        app_port=given.app_port,
        inference_port=given.inference_port,
        aws_port=given.aws_port,
        model_port=given.model_port,
        identity_port=given.identity_port,
        objects_port=given.objects_port,
        aws=given.aws,
        sign_in=given.sign_in,
        model_url=given.model_url,
        model_name=given.model_name,
        verbose=given.verbose,
    )
    ports = [
        options.app_port,
        options.inference_port,
        options.aws_port,
        options.model_port,
        options.identity_port,
        options.objects_port,
    ]
    if len(set(ports)) < len(ports):
        parser.error("every part needs a port of its own")
    return options


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port number")
    return int(text)
