"""What an AWS request says on the wire, and answers of AWS as its services write them."""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

SECRET_SAUCE = "arn:aws:internal:us-west-2:123456789012:leaked/secret-sauce"
"""Stands in every injected error text, so that a test can tell when the text of AWS reaches a client."""

# Services that share a signing name, told apart by their paths.
_SIGNED_AS: Mapping[str, tuple[str, ...]] = {
    "bedrock-agentcore": ("bedrock-agentcore", "bedrock-agentcore-control"),
    "bedrock": ("bedrock-runtime", "bedrock"),
}
_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_KEYS = frozenset({"PK", "SK", "GSI_PK", "GSI_SK"}) | {f"GSI{n}{key}" for n in range(1, 7) for key in ("PK", "SK")}


@dataclass(frozen=True, slots=True)
class Target:
    """What one request asks for: `table` of the first table named, if any."""

    service: str
    operation: str
    table: str | None = None

    def __str__(self) -> str:
        return f"{self.service}.{self.operation}" + (f" {self.table}" if self.table else "")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    """What an answer to HEAD says of a body that it does not have."""


def identify(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Target:
    scope = _SCOPE.search(headers.get("authorization", ""))
    signed_as = scope.group(1) if scope else "unsigned"
    if target := headers.get("x-amz-target"):
        return Target(signed_as, target.rpartition(".")[2], _table(body))
    route = unquote(path.partition("?")[0])
    if signed_as == "s3":
        bucket, _, key = route.removeprefix("/").partition("/")
        return Target("s3", f"{method.capitalize()}{'Object' if key else 'Bucket'}", bucket or None)
    for service in _SIGNED_AS.get(signed_as, (signed_as,)):
        for operation, verb, pattern in _rest_operations(service):
            if verb == method and pattern.fullmatch(route):
                return Target(service, operation)
    return Target(signed_as, f"{method} {route}")


def _table(body: bytes) -> str | None:
    found = re.search(rb'(?:"TableName"\s*:|"RequestItems"\s*:\s*\{)\s*"([^"]+)"', body)
    return found.group(1).decode() if found else None


@functools.cache
def _rest_operations(service: str) -> list[tuple[str, str, re.Pattern[str]]]:
    import botocore.session

    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return []
    model = session.get_service_model(service)
    routes: list[tuple[str, str, re.Pattern[str]]] = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(http["requestUri"].partition("?")[0].rstrip("/")))
        routes.append((name, http["method"], re.compile(uri + "/?")))
    return routes


def access_denied(target: Target) -> Answer:
    code = "AccessDenied" if target.service == "s3" else "AccessDeniedException"
    return _error(target, 400 if target.service == "dynamodb" else 403, code)


def throttled(target: Target) -> Answer:
    match target.service:
        case "dynamodb":
            return _error(target, 400, "ProvisionedThroughputExceededException")
        case "s3":
            return _error(target, 503, "SlowDown")
        case "bedrock-agentcore" | "bedrock-agentcore-control":
            return _error(target, 429, "ThrottledException")
        case "s3vectors":
            return _error(target, 429, "TooManyRequestsException")
        case _:
            return _error(target, 400 if _speaks_json_rpc(target) else 429, "ThrottlingException")


def server_error(target: Target) -> Answer:
    match target.service:
        case "dynamodb":
            return _error(target, 500, "InternalServerError")
        case "s3":
            return _error(target, 500, "InternalError")
        case "bedrock-agentcore" | "bedrock-agentcore-control":
            return _error(target, 500, "ServiceException")
        case _:
            return _error(target, 500, "InternalServerException")


def garbage() -> Answer:
    """What a proxy in between may answer: status 200, and no protocol of AWS."""
    return Answer(200, "text/html", b"<html><body>Sign in to the guest network</body></html>")


def _speaks_json_rpc(target: Target) -> bool:
    return target.service in {"dynamodb", "ssm", "kms", "secretsmanager", "sts"}


def _error(target: Target, status: int, code: str) -> Answer:
    text = f"User: {SECRET_SAUCE} on {target.table or target.operation}"
    if target.service == "s3":
        xml = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
        return Answer(status, "application/xml", xml.encode())
    if _speaks_json_rpc(target):
        body = json.dumps({"__type": f"com.amazonaws.{target.service}.v20120810#{code}", "message": text})
        return Answer(status, "application/x-amz-json-1.0", body.encode())
    return Answer(status, "application/json", json.dumps({"message": text}).encode(), (("x-amzn-errortype", code),))


def corrupt(target: Target, body: bytes) -> bytes | None:
    """The answer with content that fits the protocol but no record of ours; None when it carries no content."""
    change = _CORRUPTIONS.get((target.service, target.operation))
    if change is None:
        return None
    answer: Json = json.loads(body)
    return json.dumps(answer).encode() if change(answer) else None


def _retype(value: Json) -> Json:
    return {"L": []} if "S" in value else {"S": "corrupt"}


def _corrupt_items(answer: Json) -> bool:
    items = list(_items(answer))
    for item in items:
        for name in item.keys() - _KEYS:
            item[name] = _retype(item[name])
    return bool(items)


def _items(answer: Json) -> Iterator[Json]:
    yield from answer.get("Items", ())
    for name in ("Item", "Attributes"):
        if name in answer:
            yield answer[name]
    for responses in answer.get("Responses", {}).values():
        yield from responses


def _corrupt_events(answer: Json) -> bool:
    changed = False
    for event in answer.get("events", ()):
        for payload in event.get("payload", ()):
            changed = True
            if "conversational" in payload:
                payload["conversational"]["content"]["text"] = '{"message": {"role"'
            else:
                payload["blob"] = "{not json"
    return changed


def _corrupt_memory(answer: Json) -> bool:
    for strategy in answer["memory"]["strategies"]:
        del strategy["strategyId"]
    return True


def _corrupt_records(answer: Json) -> bool:
    for record in answer["memoryRecordSummaries"]:
        del record["content"]
    return bool(answer["memoryRecordSummaries"])


def _corrupt_models(answer: Json) -> bool:
    answer["modelSummaries"] = [{"modelName": "Without an id"}]
    return True


def _corrupt_vectors(answer: Json) -> bool:
    del answer["vectors"]
    return True


def _corrupt_embedding(answer: Json) -> bool:
    answer["embedding"] = answer["embedding"][:3]
    return True


_CORRUPTIONS: Mapping[tuple[str, str], Callable[[Json], bool]] = {
    **{
        ("dynamodb", operation): _corrupt_items
        for operation in ("GetItem", "Query", "Scan", "UpdateItem", "PutItem", "DeleteItem", "BatchGetItem")
    },
    ("bedrock", "ListFoundationModels"): _corrupt_models,
    ("bedrock-runtime", "InvokeModel"): _corrupt_embedding,
    ("s3vectors", "QueryVectors"): _corrupt_vectors,
    ("bedrock-agentcore", "ListEvents"): _corrupt_events,
    ("bedrock-agentcore", "ListMemoryRecords"): _corrupt_records,
    ("bedrock-agentcore", "RetrieveMemoryRecords"): _corrupt_records,
    ("bedrock-agentcore-control", "GetMemory"): _corrupt_memory,
}
