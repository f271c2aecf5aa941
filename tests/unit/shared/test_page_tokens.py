from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.errors import ErrorDetail
from apis.shared.page_tokens import (
    decode_cursor,
    decode_index_token,
    decode_key_token,
    decode_moment_token,
    encode_cursor,
    encode_index_token,
    encode_key_token,
    encode_moment_token,
    encode_text,
)
from apis.shared.result import Result, Success


@given(st.text(), st.text())
def test_a_key_token_is_read_back_by_its_owner_only(moment: str, session_id: str) -> None:
    key = {"PK": "USER#1", "SK": f"S#ACTIVE#{moment}#{session_id}"}
    token = encode_key_token(key)
    assert decode_key_token(token, partition="USER#1", prefix="S#ACTIVE#") == Success(key)
    assert decode_key_token(token, partition="USER#2", prefix="S#ACTIVE#").failure().code == "bad_request"
    assert decode_key_token(token, partition="USER#1", prefix="S#DELETED#").failure().code == "bad_request"


@given(st.integers(min_value=0, max_value=999_999_999))
def test_an_index_token_is_read_back(index: int) -> None:
    assert decode_index_token(encode_index_token(index)) == Success(index)


@pytest.mark.parametrize("digits", ["0", "007", "9" * 18, "9" * 19, "9" * 9000])
def test_an_index_beyond_every_conversation_is_a_place(digits: str) -> None:
    assert decode_index_token(encode_text(digits)).unwrap() >= int(digits[:18])


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", " 1", "1_0", "\u0663"])
def test_what_is_no_index(text: str) -> None:
    assert decode_index_token(encode_text(text)).failure().code == "bad_request"


@given(st.datetimes(timezones=st.just(UTC)), st.text().filter(lambda text: "#" not in text))
def test_a_moment_token_is_read_back(moment: datetime, session_id: str) -> None:
    text = moment.isoformat()
    assert decode_moment_token(encode_moment_token(text, session_id)) == Success((text, session_id))
    assert decode_moment_token(encode_text(text)) == Success((text, ""))


@given(user_id=st.text(max_size=200), seen=st.text(min_size=1, max_size=200))
def test_a_cursor_is_read_back_for_its_own_list_only(user_id: str, seen: str) -> None:
    key = {"PK": f"USER#{user_id}", "SK": "PROFILE", "GSI3PK": "STATUS#active", "GSI3SK": seen}
    cursor = encode_cursor({**key, "more": "x"}, "GSI3")
    place = {"index": "GSI3", "partition": "STATUS#active", "owner": "USER#"}
    assert decode_cursor(cursor, **place) == Success(key)
    for other in ({"index": "GSI2"}, {"partition": "STATUS#inactive"}, {"owner": "ROLE#"}):
        assert decode_cursor(cursor, **{**place, **other}).failure().field == "query.cursor"


@given(st.text())
def test_nonsense_is_no_cursor(cursor: str) -> None:
    outcome = decode_cursor(cursor, index="GSI3", partition="p", owner="USER#")
    assert (outcome.failure().code, outcome.failure().field) == ("bad_request", "query.cursor")


@given(st.text())
def test_nonsense_is_a_bad_request_and_never_a_bug(token: str) -> None:
    outcomes: tuple[Result[Any, ErrorDetail], ...] = (
        decode_index_token(token),
        decode_moment_token(token),
        decode_key_token(token, partition="p", prefix="s"),
    )
    for outcome in outcomes:
        if not isinstance(outcome, Success):
            assert outcome.failure().field == "query.next_token"
