"""What one turn leaves behind never breaks the next: whatever is stored, each provider gets a legal request.

The scripted provider refuses what the real ones refuse, and fails the test.
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from agents.failures import BAD_SETTING, TOO_LONG, UNSUPPORTED
from agents.files import attachment_marker, check_readable, refused_files
from agents.legal import DOCUMENT_NAME_LENGTH, EMPTY_FILE, NO_OUTPUT
from agents.prompt import AttachedFile, build_prompt, decode_files
from agents.turn.conversation import Conversation as StoredConversation
from agents.turn.request import InlineFile
from apis.shared.aws.memory import Memory
from apis.shared.errors import ErrorCode, bad_request, build_conversational_error_event
from apis.shared.sessions.messages.agentcore import AgentCoreMessages
from apis.shared.sessions.models import ContentBlock, Message
from apis.shared.wiring import forget_all
from tests.support.model_server import ModelServer, Reply, answer, events, gemini_text, refusal
from tests.unit.agents.turns import (
    BEDROCK_CLAUDE,
    Conversation,
    Item,
    assistant,
    bedrock_answer,
    built,
    failure,
    results,
    summary,
    turn,
    user,
    uses,
)

GEMINI = "gemini-2.5-flash"
MODELS = ("gpt-x", BEDROCK_CLAUDE, GEMINI)
SAID: dict[str, Reply] = {
    "gpt-x": answer("k"),
    BEDROCK_CLAUDE: bedrock_answer("k"),
    GEMINI: events(gemini_text("k", "STOP")),
}
PNG = b"\x89PNG\r\n\x1a\n"


def refused(model_id: str, text: str) -> Reply:
    if model_id == BEDROCK_CLAUDE:
        return {"status": 400, "headers": {"x-amzn-ErrorType": "ValidationException"}, "body": {"message": text}}
    if model_id == GEMINI:
        return {"status": 400, "body": {"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}}
    return refusal(400, message=text)


def attached(*names: str, text: str = "look", data: bytes = PNG) -> Message:
    return {"role": "user", "content": build_prompt(text, [AttachedFile(name, "", data) for name in names])}


async def asked(conversation: Conversation, prompt: Sequence[ContentBlock], **settings: Any) -> list[Item]:
    run = await built(conversation, history=tuple(conversation.messages), **settings)
    return [item async for item in run.stream(prompt)]


def names_of(body: Any) -> list[str]:
    return [
        block["document"]["name"] for message in body["messages"] for block in message["content"] if "document" in block
    ]


async def test_equal_names_in_two_turns(provider: ModelServer) -> None:
    """H1"""
    provider.script(*[SAID[BEDROCK_CLAUDE]] * 3)
    conversation = Conversation()
    for _ in range(3):
        prompt = attached("report.pdf", "report.pdf")["content"]
        assert summary(await asked(conversation, prompt, model_id=BEDROCK_CLAUDE))
    sent = names_of(provider.calls[2])
    assert len(set(sent)) == 6
    # What was sent before keeps its name: a cached prompt stays one.
    assert sent[:4] == names_of(provider.calls[1])
    stored = [
        block["document"]["name"] for one in conversation.messages for block in one["content"] if "document" in block
    ]
    assert stored == ["report_pdf", "report_pdf (2)"] * 3


@pytest.mark.parametrize("name", ["x" * 240 + ".pdf", "a b" * 90 + ".pdf", "\u00e4" * 240 + ".pdf", ".pdf"])
async def test_long_and_odd_names(provider: ModelServer, name: str) -> None:
    """H2; also what an earlier version stored."""
    provider.script(*[SAID[BEDROCK_CLAUDE]] * 2)
    conversation = Conversation()
    assert summary(await asked(conversation, attached(name, name)["content"], model_id=BEDROCK_CLAUDE))
    document = {"document": {"format": "pdf", "name": name, "source": {"bytes": PNG}}}
    conversation.messages[0]["content"] += [document, document]
    assert summary(await asked(conversation, [{"text": "and?"}], model_id=BEDROCK_CLAUDE))
    sent = names_of(provider.calls[1])
    assert len(set(sent)) == 4
    assert max(map(len, sent)) <= DOCUMENT_NAME_LENGTH


def test_eight_thousand_files_of_one_name() -> None:
    blocks = build_prompt("", [AttachedFile("a.txt", "", b"x")] * 8_000)
    assert len({block["document"]["name"] for block in blocks[1:]}) == 8_000


REFUSALS = [
    ("gpt-x", "You uploaded an unsupported image. Please make sure your image is valid."),
    ("gpt-x", "unknown variant `image_url`, expected `text`"),
    (BEDROCK_CLAUDE, "The model returned the following errors: messages.0.content.1.image.source.bytes: not an image"),
    (BEDROCK_CLAUDE, "Could not process image"),
    (GEMINI, "Unable to process input image."),
    *[(model_id, "Something about this request is wrong.") for model_id in MODELS],
]


@pytest.mark.parametrize(("model_id", "text"), REFUSALS)
@pytest.mark.parametrize("then", MODELS)
async def test_a_refused_file_is_named_and_not_sent_again(
    provider: ModelServer, model_id: str, text: str, then: str
) -> None:
    """H3: what is remembered of it is the error message that ended the turn."""
    conversation = Conversation()
    provider.script(refused(model_id, text), SAID[then], SAID[then])
    error = failure(await asked(conversation, attached("broken.png")["content"], model_id=model_id))
    assert (error.code, error.recoverable) == (ErrorCode.MODEL_ERROR, False)
    assert "[broken.png]" in error.message
    assert "image" not in error.message.lower().replace("broken.png", "")
    conversation.messages.append(assistant(build_conversational_error_event(error.code, error.message).message))
    assert conversation.messages[0] == attached("broken.png")

    assert summary(await asked(conversation, [{"text": "and now?"}], model_id=then))
    assert base64.b64encode(PNG).decode() not in json.dumps(provider.calls[1])
    assert "The file broken.png was refused" in json.dumps(provider.calls[1])
    # One of the same name that comes later is another file.
    assert summary(await asked(conversation, attached("broken.png")["content"], model_id=then))
    assert json.dumps(provider.calls[2]).count(base64.b64encode(PNG).decode()) == 1


async def test_the_place_and_the_kind_of_a_refusal(provider: ModelServer) -> None:
    both = attached("a.png", "b.pdf", "c.png")["content"]
    for text, names in (
        ("messages.2.content.2.document.source: The PDF specified was not valid.", "[b.pdf]"),
        ("Could not process image", "[old.png, a.png, c.png]"),
        ("The document is broken", "[b.pdf]"),
        ("This media type is not taken", "[old.png, a.png, b.pdf, c.png]"),
        ("Something is wrong", "[a.png, b.pdf, c.png]"),
    ):
        conversation = Conversation(messages=[attached("old.png"), assistant("k")])
        provider.script(refused(BEDROCK_CLAUDE, text))
        error = failure(await asked(conversation, both, model_id=BEDROCK_CLAUDE))
        assert names in error.message
    provider.script(refused(BEDROCK_CLAUDE, "Something is wrong"))
    conversation = Conversation(messages=[attached("old.png"), assistant("k")])
    assert failure(await asked(conversation, [{"text": "hi"}], model_id=BEDROCK_CLAUDE)).message == UNSUPPORTED.message


@pytest.mark.parametrize("name", ["busy permission.png", "a\nb.png", "a], b.png", "x" * 300 + ".png", "> [y.png"])
async def test_the_name_of_a_refused_file_can_be_anything(provider: ModelServer, name: str) -> None:
    error = refused_files([name])
    shown = build_conversational_error_event(error.code, error.message).message
    assert "The model could not answer." in shown
    conversation = Conversation(messages=[attached(name), assistant(shown)])
    provider.script(SAID["gpt-x"])
    assert summary(await asked(conversation, [{"text": "hi"}]))
    assert "image_url" not in json.dumps(provider.calls[0])


async def test_a_model_that_quotes_an_error_message_refuses_nothing(provider: ModelServer) -> None:
    error = refused_files(["a.png"])
    shown = build_conversational_error_event(error.code, error.message).message
    for said in (f"It said: {shown}", error.message, f"> {error.message}"):
        conversation = Conversation(messages=[attached("a.png"), assistant(said)])
        assert summary(await asked(conversation, [{"text": "hi"}]))
        assert "image_url" in json.dumps(provider.calls[-1])


async def test_a_picture_of_a_tool_that_is_refused(provider: ModelServer) -> None:
    shown: Message = {
        "role": "user",
        "content": [
            {
                "toolResult": {
                    "toolUseId": "t1",
                    "status": "success",
                    "content": [{"text": "ok"}, {"image": {"format": "png", "source": {"bytes": PNG}}}],
                }
            }
        ],
    }
    conversation = Conversation(messages=[user("draw"), uses("t1"), shown])
    provider.script(refused(BEDROCK_CLAUDE, "Could not process image"), SAID[BEDROCK_CLAUDE])
    error = failure(await asked(conversation, [{"text": "hi"}], model_id=BEDROCK_CLAUDE))
    assert "[tool image 1]" in error.message
    conversation.messages.append(assistant(build_conversational_error_event(error.code, error.message).message))
    assert summary(await asked(conversation, [{"text": "hi"}], model_id=BEDROCK_CLAUDE))
    assert "image" not in json.dumps(provider.calls[1]).replace("tool image 1", "")


@pytest.mark.parametrize("filename", ["a.pdf", "a.csv", "a.png"])
def test_an_empty_file_is_refused_by_name(filename: str) -> None:
    """H4"""
    error = decode_files([InlineFile("ok.txt", "", "eA=="), InlineFile(filename, "", "")]).failure()
    assert (error.code, error.field) == (ErrorCode.VALIDATION_ERROR, "body.files")
    assert filename in error.message


@pytest.mark.parametrize("model_id", MODELS)
async def test_an_empty_file_of_an_earlier_version(provider: ModelServer, model_id: str) -> None:
    """H4"""
    provider.script(SAID[model_id])
    conversation = Conversation(messages=[attached("a.pdf", "b.png", data=b""), assistant("k")])
    assert summary(await asked(conversation, [{"text": "hi"}], model_id=model_id))
    assert EMPTY_FILE.format(name="b.png") in json.dumps(provider.calls[0])


TEXTS = [
    (b"a;b\n1;2\n", "a;b\n1;2"),
    ("\ufeffä".encode(), "ä"),
    ("ä".encode("utf-16"), "ä"),
    ("ä".encode("cp1252"), "ä"),
]


@pytest.mark.parametrize("model_id", ["gpt-x", GEMINI])
@pytest.mark.parametrize(("data", "text"), TEXTS)
async def test_a_document_that_is_text_goes_as_text_where_there_are_no_documents(
    provider: ModelServer, model_id: str, data: bytes, text: str
) -> None:
    """H5"""
    provider.script(*[SAID[model_id]] * 2)
    conversation = Conversation()
    for prompt in (attached("a.csv", data=data)["content"], [{"text": "and?"}]):
        assert summary(await asked(conversation, prompt, model_id=model_id))
        assert json.dumps(text)[1:-1] in json.dumps(provider.calls[-1])
    assert conversation.messages[0]["content"][1]["document"]["source"]["bytes"] == data


def test_a_document_that_a_provider_cannot_read_is_named() -> None:
    """H5"""
    files = [AttachedFile(name, "", b"x") for name in ("a.pdf", "b.docx", "c.csv", "d.png", "e.xls")]
    assert check_readable(files, "bedrock").unwrap() is None
    for provider in ("openai", "gemini"):
        error = check_readable(files, provider).failure()
        assert (error.code, error.recoverable) == (ErrorCode.MODEL_ERROR, False)
        assert error.message.startswith("DOCX, XLS documents are not supported by this model: [b.docx, e.xls].")


@pytest.mark.parametrize("model_id", MODELS)
async def test_documents_of_a_turn_with_another_provider(provider: ModelServer, model_id: str) -> None:
    """H5"""
    provider.script(SAID[model_id])
    conversation = Conversation(messages=[attached("a.docx", "b.pdf", "c.md", "d.webp"), assistant("k")])
    assert summary(await asked(conversation, [{"text": "hi"}], model_id=model_id))
    assert ("a.docx cannot be read" in json.dumps(provider.calls[0])) == (model_id != BEDROCK_CLAUDE)


STORED: dict[str, list[Any]] = {
    "a native citation": [
        user("a"),
        {"role": "assistant", "content": [{"citationsContent": {"citations": [], "content": [{"text": "Forty"}]}}]},
    ],
    "ids that Bedrock refuses": [user("a"), uses("functions.t:0", "x" * 300), results("x" * 300, "functions.t:0")],
    "equal ids in one message": [user("a"), uses("t", "t"), results("t", "t"), assistant("b")],
    "equal ids in two messages": [
        user("a"),
        uses("t"),
        results("t"),
        assistant("b"),
        user("c"),
        uses("t"),
        results("t"),
    ],
    "an id that another is made into": [user("a"), uses("call_1", "\u00e4"), results("\u00e4", "call_1")],
    "an illegal tool name": [
        user("a"),
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "1 \u00e4.b" * 40, "input": [1]}}]},
        results("t"),
    ],
    "an empty tool result": [
        user("a"),
        uses("t"),
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "status": "success", "content": []}}]},
    ],
    "a blank tool result": [user("a"), uses("t"), results("t", text=" \n")],
    "JSON that is no object": [
        user("a"),
        uses("t"),
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "status": "odd", "content": [{"json": [1]}]}}]},
    ],
    "no content": [user("a"), {"role": "assistant", "content": []}, {"role": "user", "content": []}, assistant("b")],
    "blank text": [user("a"), assistant(" "), user("\n"), assistant("b")],
    "half characters": [user("a"), assistant("Nice \udcaf day"), user("\ud83d"), assistant("b")],
    "a kind that nobody knows": [
        user("a"),
        {"role": "assistant", "content": [{"SDK_UNKNOWN_MEMBER": {"name": "x"}}, {"video": {}}, {"text": "b"}]},
    ],
    "roles that do not alternate": [user("a"), user("b"), assistant("c"), assistant("d"), user("e")],
    "results that come late": [user("a"), uses("t"), user("b"), results("t"), assistant("c")],
    "uses without results": [user("a"), uses("t1", "t2"), results("t2"), assistant("b"), uses("t3")],
    "results without uses": [results("t0"), user("a"), assistant("b"), results("t1"), assistant("c")],
    "blocks of the wrong role": [
        {"role": "user", "content": [*user("a")["content"], *uses("t")["content"]]},
        {"role": "assistant", "content": [*results("t")["content"], *attached("a.png", "a.pdf")["content"]]},
    ],
    "an image of no known format": [
        {"role": "user", "content": [{"image": {"format": "tiff", "source": {"bytes": PNG}}}]},
        assistant("b"),
    ],
    "a place instead of bytes": [
        {"role": "user", "content": [{"document": {"format": "pdf", "name": "a", "source": {"s3Location": {}}}}]},
        assistant("b"),
    ],
    "a document without words": [{"role": "user", "content": attached("a.pdf")["content"][1:]}, assistant("b")],
}


@pytest.mark.parametrize("model_id", MODELS)
@pytest.mark.parametrize("case", STORED)
async def test_whatever_is_stored(provider: ModelServer, case: str, model_id: str) -> None:
    before = repr(STORED[case])
    provider.script(SAID[model_id])
    conversation = Conversation(messages=list(STORED[case]))
    assert summary(await asked(conversation, [{"text": "now"}], model_id=model_id)), provider.violations
    assert len(provider.calls) == 1
    assert repr(conversation.messages[: len(STORED[case])]) == before
    assert len(conversation.messages) == len(STORED[case]) + 2


async def test_what_is_left_of_it(provider: ModelServer) -> None:
    for case, kept in (
        ("a native citation", "Forty"),
        ("an empty tool result", NO_OUTPUT),
        ("JSON that is no object", "[1]"),
        ("half characters", "Nice  day"),
    ):
        conversation = Conversation(messages=list(STORED[case]))
        assert summary(await asked(conversation, [{"text": "now"}]))
        assert kept in json.dumps(provider.calls[-1])


async def test_results_of_equal_ids_stay_apart(provider: ModelServer) -> None:
    """C2, for what is stored already."""
    told: Message = {
        "role": "user",
        "content": [*results("t", text="1")["content"], *results("t", text="2")["content"]],
    }
    conversation = Conversation(messages=[user("a"), uses("t", "t"), told, assistant("b")])
    assert summary(await asked(conversation, [{"text": "now"}]))
    sent = provider.calls[0]["messages"]
    ids = [one["id"] for one in sent[2]["tool_calls"]]
    assert [(one["tool_call_id"], one["content"]) for one in sent[3:5]] == [(ids[0], "1"), (ids[1], "2")]


@pytest.mark.parametrize("model_id", MODELS)
async def test_a_blank_system_prompt(provider: ModelServer, model_id: str) -> None:
    provider.script(SAID[model_id])
    assert summary(await turn(model_id=model_id, system_prompt=" \n"))


@pytest.mark.parametrize(("stored", "part"), [(0, "The file [big.pdf]"), (1, "The answer")])
async def test_a_message_that_the_store_finds_too_large(provider: ModelServer, stored: int, part: str) -> None:
    """H7"""
    provider.script(SAID["gpt-x"])
    conversation = Conversation(refuses=stored, refusal=bad_request("The content is too large to be stored."))
    run = await built(conversation)
    prompt = build_prompt("look", [AttachedFile("a.png", "", b"x"), AttachedFile("big.pdf", "", b"x" * 9_000)])
    error = failure([item async for item in run.stream(prompt)])
    assert (error.code, error.message.split(" is too large")[0]) == (ErrorCode.BAD_REQUEST, part)


async def _too_large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A service that takes no message of this size."""
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
    body = b'{"message": "Request Entity Too Large"}'
    lines = ("HTTP/1.1 413 Too Large", f"Content-Length: {len(body)}", "Content-Type: application/json", "", "")
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()
    writer.close()


@pytest.mark.usefixtures("provider")
async def test_a_413_of_the_memory_is_told_usefully(monkeypatch: pytest.MonkeyPatch) -> None:
    """H7"""
    async with await asyncio.start_server(_too_large, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE", url)
        forget_all()
        store = AgentCoreMessages(Memory("memory-0123456789"))
        sink = StoredConversation(store, "u1", "s1", history=())
        run = await built(sink)
        prompt = build_prompt("look", [AttachedFile("big.pdf", "", b"x" * 9_000)])
        error = failure([item async for item in run.stream(prompt)])
    text = "The file [big.pdf] is too large to be stored with the conversation. Please make it smaller."
    assert (error.code, error.message, error.recoverable) == (ErrorCode.BAD_REQUEST, text, False)


EXCEEDED = {
    "type": "exceed_context_size_error",
    "message": "request (33056 tokens) exceeds the available context size (32768 tokens), try increasing it",
}
OVERFLOWS: list[tuple[str, Reply]] = [
    *[("gpt-x", {"status": status, "body": {"error": {"code": status, **EXCEEDED}}}) for status in (400, 500)],
    *[
        ("gpt-x", refusal(status, code="invalid_request_error", message=text))
        for status in (400, 422, 500, 503)
        for text in (
            "Context size has been exceeded.",
            "prompt is too long: 208310 tokens > 200000 maximum",
            "This model's maximum context length is 8192 tokens.",
            "Please reduce the length of the messages or completion.",
        )
    ],
    ("gpt-x", refusal(413)),
    ("gpt-x", {"steps": [{"raw": 'data: {"error": {"message": "Context size has been exceeded.", "code": 500}}\n\n'}]}),
    *[
        (BEDROCK_CLAUDE, refused(BEDROCK_CLAUDE, text))
        for text in (
            "prompt is too long: 208310 tokens > 200000 maximum",
            "Input is too long for requested model.",
            "The model returned the following errors: input length and `max_tokens` exceed context limit",
        )
    ],
    (BEDROCK_CLAUDE, {"steps": [{"exception": ["validationException", "prompt is too long: 9 tokens > 8 maximum"]}]}),
    *[
        (GEMINI, refused(GEMINI, text))
        for text in (
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "The input token count exceeds the maximum context length.",
        )
    ],
    (GEMINI, {"status": 500, "body": {"error": {"code": 500, "message": "The context is too long", "status": "X"}}}),
]


@pytest.mark.parametrize(("model_id", "reply"), OVERFLOWS)
async def test_a_conversation_that_is_too_long_is_shortened(provider: ModelServer, model_id: str, reply: Reply) -> None:
    """M1"""
    history = [user("a"), uses("t1"), results("t1", text="long" * 100), assistant("b"), user("c"), assistant("d")]
    provider.script(reply, reply, SAID[model_id])
    conversation = Conversation(messages=list(history))
    assert summary(await asked(conversation, [{"text": "now"}], model_id=model_id))
    first, second, third = (json.dumps(body) for body in provider.calls)
    assert ("longlong" in first, "longlong" in second, "too large" in second) == (True, False, True)
    assert len(third) < len(second)
    assert conversation.messages[:6] == history

    provider.script(reply)
    error = failure(await turn(model_id=model_id))
    assert (error.message, error.code, error.recoverable) == (TOO_LONG.message, ErrorCode.MODEL_ERROR, False)
    assert "shorten" in error.message


NO_OVERFLOW = [
    "max_tokens is too large: 9999. This model supports at most 4096 completion tokens",
    "Unsupported value: 'temperature' does not support 0.7 with this model.",
]


@pytest.mark.parametrize("text", NO_OVERFLOW)
async def test_a_setting_that_the_model_does_not_take(provider: ModelServer, text: str) -> None:
    """M1, H3: neither an overflow nor the fault of a file that came with the message."""
    provider.script(refusal(400, message=text))
    error = failure(await asked(Conversation(), attached("a.png")["content"]))
    assert error.message == BAD_SETTING.message
    assert len(provider.calls) == 1


def test_the_marker_of_files_with_the_same_brackets() -> None:
    assert attachment_marker(["a\nb.png", "c"]) == "\n\n[Attached files: a b.png, c]"
