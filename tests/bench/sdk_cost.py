"""What one call costs in boto3 alone, without a service around it: `python -m tests.bench.sdk_cost ENDPOINT`.

One thread in a loop; CPU time of this process only, so that the endpoint's own time does not count. The result is
JSON: microseconds per call, and the functions that take most of the time by cProfile.
"""

import cProfile
import json
import pstats
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.fast_aws import USER_ID, session_id

CALLS = 1500
PROFILED = 1000
_SHOWN = 12


def _client(endpoint: str) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-west-2",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        config=Config(proxies={}),
    )


def _operations(client: Any) -> Mapping[str, Callable[[], object]]:
    lookup = {":pk": {"S": f"SESSION#{session_id(3)}"}, ":sk": {"S": "META"}}
    listing = {":pk": {"S": f"USER#{USER_ID}"}, ":sk": {"S": "S#ACTIVE#"}}
    return {
        "query, 1 item": lambda: client.query(
            TableName="sessions",
            IndexName="SessionLookupIndex",
            KeyConditionExpression="GSI_PK = :pk AND GSI_SK = :sk",
            ExpressionAttributeValues=lookup,
        ),
        "query, 20 items": lambda: client.query(
            TableName="sessions",
            KeyConditionExpression="PK = :pk AND begins_with(SK, :sk)",
            ExpressionAttributeValues=listing,
        ),
    }


def _microseconds(call: Callable[[], object]) -> float:
    for _ in range(200):
        call()
    cpu = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - cpu) / CALLS * 1e6


def _profile(call: Callable[[], object]) -> list[str]:
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(PROFILED):
        call()
    profile.disable()
    stats: Mapping[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # missing in the stubs
    rows = sorted(stats.items(), key=lambda row: row[1][3], reverse=True)
    ours = [
        f"{cumulative / PROFILED * 1e6:6.0f} us  {Path(file).parent.name}/{Path(file).name}:{function}"
        for (file, _, function), (_, _, _, cumulative, _) in rows
        if "botocore" in file or "urllib3" in file or file.endswith("http/client.py")
    ]
    return ours[:_SHOWN]


def main() -> None:
    operations = _operations(_client(sys.argv[1]))
    result = {
        "microseconds_per_call": {name: _microseconds(call) for name, call in operations.items()},
        "profile": _profile(operations["query, 1 item"]),
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
