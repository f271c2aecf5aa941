"""The ingestion as a process: `python -m devstack.ingestion.worker`, configured as the services are.

It looks into the bucket of the documents instead of being told by it, and handles each object as the event that S3
would have sent.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Final

import boto3.session
from botocore.config import Config

from apis.shared.aws.errors import aws_errors
from apis.shared.result import Failure, Success, attempt
from devstack.ingestion.pipeline import PREFIX, Ingestion, Stores, event_of

LOOK_SECONDS: Final = 0.5

type Version = tuple[str, str]
"""Key and ETag: an upload of other bytes is another version."""


def stores(environment: Mapping[str, str]) -> Stores:
    session = boto3.session.Session()
    config = Config(retries={"mode": "standard", "total_max_attempts": 3})
    return Stores(
        s3=session.client("s3", config=config),
        dynamodb=session.client("dynamodb", config=config),
        bedrock=session.client("bedrock-runtime", config=config),
        s3vectors=session.client("s3vectors", config=config),
        table=environment["ASSISTANTS_TABLE_NAME"],
        vector_bucket=environment["ASSISTANTS_VECTOR_STORE_BUCKET_NAME"],
        vector_index=environment["ASSISTANTS_VECTOR_STORE_INDEX_NAME"],
    )


class Watch:
    """What was uploaded and not yet ingested. An object whose row could not be written is tried again."""

    def __init__(self, of: Stores, bucket: str) -> None:
        self._stores = of
        self._bucket = bucket
        self._ingestion = Ingestion(of)
        self._done: set[tuple[Version, str]] = set()

    def look(self) -> None:
        """Once through the bucket."""
        match attempt(lambda: list(self._uploads()), errors=aws_errors()):
            case Success(uploads):
                for upload in uploads:
                    self._handle(upload)
            case Failure(error):
                print(f"cannot look into {self._bucket}: {error.cause!r}", flush=True)

    def _handle(self, upload: tuple[Version, str]) -> None:
        if upload in self._done:
            return
        key = upload[0][0]
        match self._ingestion.ingest(event_of(self._bucket, key)):
            case Success(_):
                self._done.add(upload)
                print(f"ingested {key}", flush=True)
            case Failure(error):
                print(f"will try {key} again: {error.cause!r}", flush=True)

    def _uploads(self) -> Iterator[tuple[Version, str]]:
        pages = self._stores.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=PREFIX):
            for found in page.get("Contents", ()):
                yield (found["Key"], found["ETag"]), found["LastModified"].isoformat()


def main() -> None:
    # Ctrl-C reaches the whole process group; the stack ends this process when it is its turn.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    watch = Watch(stores(os.environ), os.environ["ASSISTANTS_DOCUMENTS_BUCKET_NAME"])
    print("watching for documents", flush=True)
    while True:
        watch.look()
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
