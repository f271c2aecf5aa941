import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from agents.system_prompt import build_system_prompt, date_line, system_prompt_hash


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (datetime(2025, 7, 4, 21, 30, tzinfo=UTC), "2025-07-04 (Friday) 14:00 PDT"),
        (datetime(2025, 1, 1, 7, 59, tzinfo=UTC), "2024-12-31 (Tuesday) 23:00 PST"),
    ],
)
def test_the_prompt_ends_with_the_hour_in_pacific_time(now: datetime, text: str) -> None:
    assert build_system_prompt("Example University", "Ada", now).endswith(f"\n\n{date_line(now)}")
    assert date_line(now).endswith(text)


def test_the_prompt_names_institution_and_assistant_and_the_answer_rules() -> None:
    prompt = build_system_prompt("Example University", "Ada")
    for part in ("You are Ada", "Example University", "&#36;", "Mermaid", "KaTeX", "counselling", "integrity"):
        assert part in prompt


def test_without_zone_data_the_date_is_utc_and_says_so() -> None:
    code = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from datetime import datetime, UTC\n"
        "from agents.system_prompt import date_line\n"
        "print(date_line(datetime(2025, 7, 4, 21, 30, tzinfo=UTC)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip().endswith("2025-07-04 (Friday) 21:00 UTC")
    assert "suppressed failure" in told.stderr


def test_the_hash_is_the_beginning_of_the_md5() -> None:
    assert system_prompt_hash("X") == "02129bb861061d1a"
