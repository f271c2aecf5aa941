from hypothesis import given
from hypothesis import strategies as st

from apis.shared.result import Success
from apis.shared.sessions.tokens import (
    decode_index_token,
    decode_key_token,
    encode_index_token,
    encode_key_token,
)


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


@given(st.text())
def test_nonsense_is_a_bad_request_and_never_a_bug(token: str) -> None:
    for outcome in (decode_index_token(token), decode_key_token(token, partition="p", prefix="s")):
        if not isinstance(outcome, Success):
            assert outcome.failure().field == "query.next_token"
