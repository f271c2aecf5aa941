"""Where local files keep a session: one folder, shared by its record, its messages and its costs."""

import re
from pathlib import Path

from apis.shared.storage.locks import lock_for

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_PREFIX = "session_"
ALL_SESSIONS = f"{_PREFIX}*"
RECORD_FILE = "session-metadata.json"
COSTS_FILE = "message-metadata.json"


def is_session_id(value: str) -> bool:
    """1 to 100 letters, digits, `_` and `-`, so no separator and no dot: such an id may become part of a path."""
    return _SESSION_ID.fullmatch(value) is not None


def session_folder(root: Path, session_id: str) -> Path:
    """Only for what `is_session_id` accepts."""
    return root / f"{_PREFIX}{session_id}"


def session_lock(root: Path, session_id: str) -> Path:
    """One for all of the folder: what deletes and what appends exclude each other."""
    return lock_for(root, session_id)
