"""Messages as they are stored."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.result import Success
from apis.shared.sessions.messages.agentcore import MAX_CONVERSATIONAL, _payload
from apis.shared.sessions.messages.entries import decode_entry, encode_entry, parse_entry
from apis.shared.sessions.models import Message

texts = st.text().filter(lambda text: text.strip() != "")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: not (isinstance(value, dict) and value.get("__bytes_encoded__") is True))
blocks = texts.map(lambda text: {"text": text}) | json_values.map(
    lambda value: {"toolUse": {"toolUseId": "t", "name": "n", "input": value}}
)


@given(st.lists(blocks, min_size=1, max_size=4))
def test_what_is_stored_is_read_back(content: list[dict[str, Any]]) -> None:
    message: Message = {"role": "user", "content": content}
    stored = parse_entry(json.dumps(encode_entry(message, 0))).unwrap()
    assert stored is not None
    assert stored.message == message


@pytest.mark.parametrize(
    ("entry", "content"),
    [
        ({"message": {"role": "user", "content": "plain"}}, [{"text": "plain"}]),
        ({"message": {"content": [{"text": " "}, {"text": "x"}]}}, [{"text": "x"}]),
    ],
)
def test_older_forms_are_read(entry: Any, content: list[dict[str, Any]]) -> None:
    stored = decode_entry(entry).unwrap()
    assert stored is not None
    assert stored.message["content"] == content


def test_a_message_without_content_is_no_message() -> None:
    assert decode_entry({"message": {"role": "user", "content": [{"text": "  "}]}}) == Success(None)


@pytest.mark.parametrize("entry", [None, [], "x", {}, {"message": None}, {"message": {"content": 5}}])
def test_what_is_no_message_is_an_internal_error(entry: Any) -> None:
    error = decode_entry(entry).failure()
    assert (error.code, error.cause) == ("internal_error", None)


@pytest.mark.parametrize("data", ["@@", "iVBOR/8", "iVBO R/8="])
def test_bytes_that_are_no_base64_are_no_empty_picture(data: str) -> None:
    picture = {"image": {"source": {"bytes": {"__bytes_encoded__": True, "data": data}}}}
    error = decode_entry({"message": {"role": "user", "content": [picture]}}).failure()
    assert (error.code, error.cause) == ("internal_error", None)


@pytest.mark.parametrize(("length", "kind"), [(10, "conversational"), (MAX_CONVERSATIONAL, "blob")])
def test_a_long_message_is_a_blob(length: int, kind: str) -> None:
    payload = _payload(encode_entry({"role": "user", "content": [{"text": "x" * length}]}, 0), "user")
    assert list(payload) == [kind]
    if kind == "conversational":
        assert payload["conversational"]["role"] == "USER"
    else:
        text, role = json.loads(payload["blob"])
        assert (json.loads(text)["message"]["role"], role) == ("user", "user")
