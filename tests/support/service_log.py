"""The structured records that a service writes, by the request that they belong to."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

type Record = dict[str, Any]

FAILED, SUPPRESSED = "request failed", "suppressed failure"


class ServiceLog:
    """Reads on from where it stopped whenever it is asked."""

    def __init__(self, path: Path) -> None:
        self._file = path.open(encoding="utf-8", errors="replace")
        self._unfinished = ""
        self._by_request: defaultdict[str, list[Record]] = defaultdict(list)
        self._unchecked = ""

    def of(self, request_id: str, message: str | None = None) -> list[Record]:
        """What was written for one request so far: everything, or the records with this message."""
        self._read()
        records = self._by_request.get(request_id, [])
        return [record for record in records if message is None or record.get("message") == message]

    def has_written(self, text: str) -> bool:
        """Whether `text` stands in what was written since the last time that this was asked."""
        self._read()
        found = text in self._unchecked
        self._unchecked = ""
        return found

    def _read(self) -> None:
        """A line that is still being written is for the next time."""
        *lines, self._unfinished = (self._unfinished + self._file.read()).split("\n")
        for line in lines:
            self._unchecked += line
            if line.startswith("{"):
                record: Record = json.loads(line)
                self._by_request[str(record.get("request_id"))].append(record)

    def close(self) -> None:
        self._file.close()
