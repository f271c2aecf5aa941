"""Changing the client secrets beside other processes, whose writes come in between."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apis.shared.aws.secrets import Secret, SecretVersion
from apis.shared.errors import ErrorDetail
from apis.shared.oauth.client_secrets import OVERTAKEN, ClientSecrets
from apis.shared.result import Result, Success, error_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class PlayedSecret(Secret):
    """Keeps every version; `beside` is called around each write, `late` reads still show what was before."""

    versions: list[SecretVersion] = field(default_factory=list)
    before_write: list[Callable[[], None]] = field(default_factory=list)
    after_write: list[Callable[[], None]] = field(default_factory=list)
    late: int = 0

    def put(self, **entries: str) -> None:
        number = len(self.versions)
        text = json.dumps(entries)
        self.versions.append(SecretVersion(f"v{number}", BEGIN + timedelta(seconds=number), text))

    @property
    def entries(self) -> dict[str, str]:
        return dict(json.loads(self.versions[-1].text or ""))

    async def read(self, stage: str = "AWSCURRENT") -> Result[SecretVersion | None, ErrorDetail]:
        shown = self.versions
        if self.late and len(shown) > 1:
            self.late -= 1
            shown = shown[:-1]
        index = 1 if stage == "AWSCURRENT" else 2
        return Success(shown[-index] if len(shown) >= index else None)

    async def write(self, text: str) -> Result[str, ErrorDetail]:
        if self.before_write:
            self.before_write.pop(0)()
        self.put(**json.loads(text))
        written = self.versions[-1].version_id
        if self.after_write:
            self.after_write.pop(0)()
        return Success(written)


def played() -> tuple[PlayedSecret, ClientSecrets]:
    secret = PlayedSecret()
    secret.put(other="theirs")
    return secret, ClientSecrets(secret, pause_seconds=0)


async def test_s1_a_write_in_between_is_merged() -> None:
    secret, secrets = played()
    secret.before_write = [lambda: secret.put(other="theirs", between="B")]
    (await secrets.keep("mine", "M")).unwrap()
    assert secret.entries == {"other": "theirs", "between": "B", "mine": "M"}


async def test_s1_a_write_afterwards_that_lost_it_is_repeated() -> None:
    secret, secrets = played()
    secret.after_write = [lambda: secret.put(other="theirs", after="A")]
    (await secrets.keep("mine", "M")).unwrap()
    assert secret.entries == {"other": "theirs", "after": "A", "mine": "M"}


async def test_s1_a_write_afterwards_that_kept_it_is_left_alone() -> None:
    secret, secrets = played()
    secret.after_write = [lambda: secret.put(other="theirs", mine="M", after="A")]
    (await secrets.keep("mine", "M")).unwrap()
    assert (secret.entries, len(secret.versions)) == ({"other": "theirs", "mine": "M", "after": "A"}, 3)


async def test_s1_a_read_that_is_late_is_no_loss() -> None:
    for late in (2, 100):
        secret, secrets = played()
        secret.after_write = [lambda secret=secret, late=late: setattr(secret, "late", late)]  # type: ignore[misc]  # the defaults bind the loop's variables
        (await secrets.keep("mine", "M")).unwrap()
        assert (secret.entries, len(secret.versions)) == ({"other": "theirs", "mine": "M"}, 2)


async def test_d9_who_is_overtaken_all_the_time_is_told() -> None:
    secret, secrets = played()
    secret.after_write = [lambda: secret.put(other="theirs")] * 10
    assert error_of(await secrets.keep("mine", "M")) == OVERTAKEN


async def test_what_is_there_already_is_not_written() -> None:
    secret, secrets = played()
    (await secrets.keep("other", "theirs")).unwrap()
    (await secrets.remove("unknown")).unwrap()
    assert len(secret.versions) == 1
