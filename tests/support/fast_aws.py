"""A DynamoDB endpoint for benchmarks: canned answers for what one user has, and for costs, in a process of its own.

`python -m tests.support.fast_aws PORT` serves SESSIONS sessions and CATALOGUE tools and models each, whatever is asked
or written, and a month in which USERS users had costs. It is also an embedding model and a vector index, in which the
assistant has PASSAGES. It answers in a few microseconds, so that what a benchmark measures is the client. Control,
over the same port: `GET /counts` how often each operation was called, `POST /reset` forget that, `POST /delay/20`
answer 20 ms later.
"""

import asyncio
import functools
import json
import re
import sys
from collections import Counter
from typing import Any, ClassVar, cast

import uvloop

USER_ID = "000000000"
SESSIONS = 20
CATALOGUE = 20
USERS = 10_000
FILES = 1_000
ASSISTANT_ID = "ast-bench"
PASSAGES = 5
MONTH = "2025-01"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"x-amz-target: *DynamoDB_20120810\.(\w+)", re.IGNORECASE)
_SESSION = re.compile(rb'"(?:SESSION#|S#ACTIVE#[^"#]*#)([^"#]+)"')
_LIMIT = re.compile(rb'"Limit": *(\d+)')
_TIME = "2025-01-15T10:30:45.123456Z"


def session_id(number: int) -> str:
    return f"bench-session-{number:04}"


def _item(session: str) -> dict[str, Any]:
    return {
        "PK": {"S": f"USER#{USER_ID}"},
        "SK": {"S": f"S#ACTIVE#{_TIME}#{session}"},
        "GSI_PK": {"S": f"SESSION#{session}"},
        "GSI_SK": {"S": "META"},
        "sessionId": {"S": session},
        "userId": {"S": USER_ID},
        "title": {"S": "A conversation with a title of usual length"},
        "status": {"S": "active"},
        "createdAt": {"S": _TIME},
        "lastMessageAt": {"S": _TIME},
        "messageCount": {"N": "7"},
        "starred": {"BOOL": False},
        "tags": {"L": [{"S": "work"}, {"S": "physics"}]},
        "preferences": {
            "M": {
                "lastModel": {"S": "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
                "lastTemperature": {"N": "0.7"},
                "enabledTools": {"L": [{"S": "calculator"}, {"S": "get_current_weather"}]},
                "systemPromptHash": {"S": "0123456789abcdef"},
            }
        },
        "deleted": {"BOOL": False},
    }


def _tool(number: int) -> dict[str, Any]:
    tool_id = f"bench_tool_{number:02}"
    return {
        "PK": {"S": f"TOOL#{tool_id}"},
        "SK": {"S": "METADATA"},
        "toolId": {"S": tool_id},
        "displayName": {"S": f"Tool {number}"},
        "description": {"S": "A tool with a description of usual length, one sentence long."},
        "category": {"S": "search" if number % 2 else "data"},
        "icon": {"S": "magnifying-glass"},
        "protocol": {"S": "local"},
        "status": {"S": "active"},
        "isPublic": {"BOOL": True},
        "enabledByDefault": {"BOOL": True},
        "createdAt": {"S": _TIME},
        "updatedAt": {"S": _TIME},
    }


def _model(number: int) -> dict[str, Any]:
    record = f"MODEL#00000000-0000-4000-8000-{number:012}"
    return {
        "PK": {"S": record},
        "SK": {"S": record},
        "id": {"S": record.removeprefix("MODEL#")},
        "modelId": {"S": f"us.anthropic.claude-bench-{number}"},
        "modelName": {"S": f"Model {number}"},
        "provider": {"S": "bedrock"},
        "providerName": {"S": "Anthropic"},
        "inputModalities": {"L": [{"S": "TEXT"}, {"S": "IMAGE"}]},
        "outputModalities": {"L": [{"S": "TEXT"}]},
        "maxInputTokens": {"N": "200000"},
        "maxOutputTokens": {"N": "4096"},
        "allowedAppRoles": {"L": []},
        "availableToRoles": {"L": [{"S": "Developer"}]},
        "enabled": {"BOOL": True},
        "inputPricePerMillionTokens": {"N": "1"},
        "outputPricePerMillionTokens": {"N": "5.25"},
        "isReasoningModel": {"BOOL": False},
        "supportsCaching": {"BOOL": True},
        "createdAt": {"S": f"2025-01-15T10:30:45.{number:06}+00:00"},
        "updatedAt": {"S": "2025-01-15T10:30:45.123456+00:00"},
    }


def _http(payload: object, status: bytes = b"200 OK") -> bytes:
    body = json.dumps(payload, separators=(",", ":")).encode()
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: BENCH"
        b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )


_EMPTY = _http({})
_NO_ITEMS = _http({"Items": [], "Count": 0, "ScannedCount": 0})
_ALL = [_item(session_id(number)) for number in range(SESSIONS)]
_LIST = _http({"Items": _ALL, "Count": SESSIONS, "ScannedCount": SESSIONS})
_LOOKUP = {
    session_id(number).encode(): _http({"Items": [_ALL[number]], "Count": 1, "ScannedCount": 1})
    for number in range(SESSIONS)
}
_TOOL_CATALOGUE, _MODEL_CATALOGUE = (
    _http({"Items": items, "Count": CATALOGUE, "ScannedCount": CATALOGUE})
    for items in ([_tool(number) for number in range(CATALOGUE)], [_model(number) for number in range(CATALOGUE)])
)
_GET = {session_id(number).encode(): _http({"Item": _ALL[number]}) for number in range(SESSIONS)}
_UPDATE = {session_id(number).encode(): _http({"Attributes": _ALL[number]}) for number in range(SESSIONS)}


_PERSON = _http(
    {
        "Attributes": {
            "PK": {"S": f"USER#{USER_ID}"},
            "SK": {"S": "PROFILE"},
            "userId": {"S": USER_ID},
            "email": {"S": "ada@example.edu"},
            "name": {"S": "Ada Lovelace"},
            "roles": {"L": [{"S": "Staff"}]},
            "emailDomain": {"S": "example.edu"},
            "createdAt": {"S": _TIME},
            "lastLoginAt": {"S": _TIME},
            "status": {"S": "active"},
        }
    }
)


@functools.cache
def _ranking(limit: int) -> bytes:
    """The first page of the users of the month, whoever spent most first."""
    users = [
        {
            "PK": {"S": f"USER#{number:09}"},
            "SK": {"S": f"PERIOD#{MONTH}"},
            "GSI2PK": {"S": f"PERIOD#{MONTH}"},
            "GSI2SK": {"S": f"COST#{(USERS - number) * 125:015}"},
            "userId": {"S": f"{number:09}"},
            "totalCost": {"N": f"{(USERS - number) * 1.25}"},
            "totalRequests": {"N": str(USERS - number)},
            "lastUpdated": {"S": _TIME},
        }
        for number in range(min(limit, USERS))
    ]
    last = {name: users[-1][name] for name in ("PK", "SK", "GSI2PK", "GSI2SK")}
    return _http({"Items": users, "Count": len(users), "ScannedCount": len(users), "LastEvaluatedKey": last})


def _rollup(kind: str, key: str, **attributes: Any) -> dict[str, Any]:
    counters = ("totalRequests", "totalInputTokens", "totalOutputTokens", "activeUsers", "uniqueUsers")
    return {
        "PK": {"S": f"ROLLUP#{kind}"},
        "SK": {"S": key},
        "totalCost": {"N": "62506.25"},
        **{name: {"N": "10000"} for name in counters},
        "lastUpdated": {"S": _TIME},
        **attributes,
    }


def _rollups(items: list[dict[str, Any]]) -> bytes:
    return _http({"Items": items, "Count": len(items), "ScannedCount": len(items)})


_MONTHLY = _http({"Item": _rollup("MONTHLY", MONTH)})
_DAYS = _rollups([_rollup("DAILY", f"{MONTH}-{day:02}") for day in range(1, 32)])
_MODELS = _rollups(
    [
        _rollup("MODEL", f"{MONTH}#m{n}", modelId={"S": f"m{n}"}, modelName={"S": f"Model {n}"}, provider={"S": "p"})
        for n in range(20)
    ]
)


_QUOTA: dict[str, Any] = {"tierId": {"S": "bench"}, "createdAt": {"S": _TIME}, "updatedAt": {"S": _TIME}}
_TIER = _http(
    {
        "Item": {
            **_QUOTA,
            "PK": {"S": "QUOTA_TIER#bench"},
            "SK": {"S": "METADATA"},
            "tierName": {"S": "Bench"},
            "monthlyCostLimit": {"N": "100"},
        }
    }
)
_ASSIGNMENT = _rollups(
    [
        {
            **_QUOTA,
            "PK": {"S": "ASSIGNMENT#1"},
            "SK": {"S": "METADATA"},
            "assignmentId": {"S": "1"},
            "assignmentType": {"S": "direct_user"},
            "userId": {"S": USER_ID},
        }
    ]
)


def _file(number: int) -> dict[str, Any]:
    upload_id = f"{0x1A2067AC070 + number:x}_{number:016x}"
    key = f"user-files/{USER_ID}/s1/{upload_id}/Report {number}.pdf"
    return {
        "PK": {"S": f"USER#{USER_ID}"},
        "SK": {"S": f"FILE#{upload_id}"},
        "GSI1PK": {"S": "CONV#s1"},
        "GSI1SK": {"S": f"FILE#{upload_id}"},
        "uploadId": {"S": upload_id},
        "userId": {"S": USER_ID},
        "sessionId": {"S": "s1"},
        "filename": {"S": f"Report {number}.pdf"},
        "mimeType": {"S": "application/pdf"},
        "sizeBytes": {"N": "48213"},
        "s3Key": {"S": key},
        "s3Bucket": {"S": "user-files"},
        "s3Uri": {"S": f"s3://user-files/{key}"},
        "status": {"S": "ready"},
        "createdAt": {"S": "2026-01-05T10:30:45.123456Z"},
        "updatedAt": {"S": "2026-01-05T10:30:45.123456Z"},
        "etag": {"S": '"5d41402abc4b2a76b9719d911017c592"'},
        "ttl": {"N": "4000000000"},
    }


@functools.cache
def _files(limit: int) -> bytes:
    some = [_file(number) for number in range(min(limit, FILES))]
    return _http({"Items": some, "Count": len(some), "ScannedCount": len(some)})


def _of_assistant(sort_key: str, **attributes: str) -> dict[str, Any]:
    named = {"PK": f"AST#{ASSISTANT_ID}", "SK": sort_key, "assistantId": ASSISTANT_ID, **attributes}
    return {name: {"S": value} for name, value in {**named, "createdAt": _TIME, "updatedAt": _TIME}.items()}


def _rows(*items: dict[str, Any]) -> bytes:
    return _http({"Responses": {"rag-assistants": items}, "UnprocessedKeys": {}})


_ASSISTANT = _rows(_of_assistant("METADATA", ownerId=USER_ID, name="Bench", instructions="Answer as a biologist."))
_DOCUMENTS = _rows(
    *(
        {
            **_of_assistant(
                f"DOC#DOC-{number}",
                documentId=f"DOC-{number}",
                filename=f"Guide {number}.pdf",
                contentType="application/pdf",
                s3Key="k",
                status="complete",
            ),
            "sizeBytes": {"N": "3"},
            "chunkCount": {"N": "9"},
        }
        for number in range(PASSAGES)
    )
)
_EMBEDDING = _http({"embedding": [1.0, *[0.0] * 1023]})
_HITS = _http(
    {
        "vectors": [
            {
                "key": f"DOC-{number}#0",
                "distance": number / 10,
                "metadata": {"assistant_id": ASSISTANT_ID, "document_id": f"DOC-{number}", "text": "passage " * 50},
            }
            for number in range(PASSAGES)
        ],
        "distanceMetric": "cosine",
    }
)
_BY_PATH = {"/model/": ("InvokeModel", _EMBEDDING), "/QueryVectors": ("QueryVectors", _HITS)}


def answer(operation: bytes, body: bytes) -> bytes:
    if operation == b"BatchGetItem":
        return _ASSISTANT if b'"METADATA"' in body else _DOCUMENTS
    if b'"user-files"' in body:
        limit = _LIMIT.search(body)
        return _files(int(limit.group(1)) if limit else FILES) if operation == b"Query" else _EMPTY
    if operation == b"Scan":
        return _TOOL_CATALOGUE if b'"TOOL#"' in body else _MODEL_CATALOGUE
    return _of_quota(operation, body) or _of_costs(operation, body) or _of_sessions(operation, body)


def _of_quota(operation: bytes, body: bytes) -> bytes | None:
    match operation:
        case b"GetItem" if b"QUOTA_TIER#" in body:
            return _TIER
        case b"Query" if b'"UserAssignmentIndex"' in body:
            return _ASSIGNMENT
        case _:
            return None


def _of_costs(operation: bytes, body: bytes) -> bytes | None:
    match operation:
        case b"GetItem" if b"ROLLUP#MONTHLY" in body:
            return _MONTHLY
        case b"Query" if b'"PeriodCostIndex"' in body:
            limit = _LIMIT.search(body)
            return _ranking(int(limit.group(1)) if limit else USERS)
        case b"Query" if b"ROLLUP#" in body:
            return _DAYS if b"ROLLUP#DAILY" in body else _MODELS
        case _:
            return None


def _of_sessions(operation: bytes, body: bytes) -> bytes:
    found = _SESSION.search(body)
    session = found.group(1) if found else b""
    match operation:
        case b"GetItem":
            return _GET.get(session, _EMPTY)
        case b"UpdateItem" if b'"PROFILE"' in body:
            return _PERSON
        case b"UpdateItem":
            return _UPDATE.get(session, _EMPTY)
        case b"Query" if b'"SessionLookupIndex"' in body:
            return _LOOKUP.get(session, _NO_ITEMS) if b'"META"' in body else _NO_ITEMS
        case b"Query":
            return _LIST if b'"S#ACTIVE#"' in body else _NO_ITEMS
        case _:
            return _EMPTY


class _Endpoint(asyncio.Protocol):
    calls: ClassVar[Counter[str]] = Counter()
    delay_seconds = 0.0
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class has the same interface

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            total = end + 4 + (int(length.group(1)) if length else 0)
            if len(self._received) < total:
                return
            body, self._received = self._received[end + 4 : total], self._received[total:]
            self._handle(head, body)

    def _handle(self, head: bytes, body: bytes) -> None:
        target = _TARGET.search(head)
        path = head.split(b" ", 2)[1].decode()
        known = next((told for begin, told in _BY_PATH.items() if path.startswith(begin)), None)
        if target is not None:
            operation = target.group(1)
            self._answer(operation.decode(), answer(operation, body))
        elif known is not None:
            self._answer(*known)
        else:
            self.transport.write(self._control(path))

    def _answer(self, operation: str, reply: bytes) -> None:
        type(self).calls[operation] += 1
        if self.delay_seconds:
            asyncio.get_running_loop().call_later(self.delay_seconds, self.transport.write, reply)
        else:
            self.transport.write(reply)

    def _control(self, path: str) -> bytes:
        kind = type(self)
        if path == "/reset":
            kind.calls.clear()
        elif path.startswith("/delay/"):
            kind.delay_seconds = float(path.removeprefix("/delay/")) / 1000
        return _http(dict(kind.calls))


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Endpoint, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
