"""What providers refuse, by their documented limits: the scripted provider holds every request of every test to it.

Bedrock Converse: names, ids, documents, pairs, roles, no blank or empty content. OpenAI and Gemini: roles and pairing.
Written from the providers' side alone: it knows nothing of how requests are made legal.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

type Json = dict[str, Any]

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_GEMINI_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}")
_DOCUMENT_NAME = re.compile(r"(?:[a-zA-Z0-9\-()\[\]]|_|\s(?!\s)){1,200}")
_DOCUMENTS = {"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"}
_IMAGES = {"png", "jpeg", "gif", "webp"}
_GEMINI_FILES = {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"}


class IllegalRequest(Exception):  # noqa: N818 - what it is
    """With the sentence that the provider would answer."""


def illegality(provider: str, body: Any) -> str | None:
    """What is wrong with a request; None for a legal one."""
    try:
        _require(not _half_characters(body), "a half character")
        {"bedrock": _bedrock, "openai": _openai, "gemini": _gemini}[provider](body)
    except IllegalRequest as illegal:
        return str(illegal)
    except (KeyError, TypeError, ValueError) as unreadable:
        return f"a request of another shape: {unreadable!r}"
    return None


def refused(provider: str, message: str) -> Json:
    """The provider's answer to an illegal request."""
    match provider:
        case "bedrock":
            return {"status": 400, "headers": {"x-amzn-ErrorType": "ValidationException"}, "body": {"message": message}}
        case "gemini":
            error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
            return {"status": 400, "body": {"error": error}}
        case _:
            error = {"message": message, "type": "invalid_request_error", "code": None}
            return {"status": 400, "body": {"error": error}}


def _require(condition: object, message: str) -> None:
    if not condition:
        raise IllegalRequest(message)


def _half_characters(body: Any) -> bool:
    return bool(re.search("[\ud800-\udfff]", json.dumps(body, ensure_ascii=False)))


def _alternate(roles: Sequence[str], first: str) -> None:
    _require(roles, "no messages")
    _require(roles[0] == first, "the first message is not the user's")
    _require(roles[-1] == first, "the last message is not the user's")
    _require(all(one != other for one, other in pairwise(roles)), "roles do not alternate")


def _only_member(block: Json, known: set[str]) -> str:
    _require(len(block) == 1 and block.keys() <= known, f"a block of {sorted(block)}")
    return next(iter(block))


# --- Bedrock ---


def _bedrock(body: Json) -> None:
    messages = body["messages"]
    _alternate([message["role"] for message in messages], "user")
    for block in body.get("system", ()):
        _require("cachePoint" in block or block["text"].strip(), "a blank system prompt")
    asked: list[str] = []
    names: set[str] = set()
    used: set[str] = set()
    markers = 0
    for message in messages:
        content = message["content"]
        _require(content, "empty content")
        if message["role"] == "user":
            _bedrock_results(content, asked)
            asked = []
        else:
            asked = [block["toolUse"]["toolUseId"] for block in content if "toolUse" in block]
            for one in asked:
                _require(_ID.fullmatch(one), f"toolUseId {one!r}")
                _require(one not in used, "a toolUseId used twice")
                used.add(one)
        for block in content:
            markers += "cachePoint" in block
            _bedrock_block(block, message["role"], names)
        if any("document" in block for block in content):
            _require(any("text" in block for block in content), "a document without text")
    _require(markers <= 4, "more than four cache points")
    tools = body.get("toolConfig", {}).get("tools")
    _require(tools or tools is None, "an empty list of tools")
    _require(tools or "toolUseId" not in json.dumps(messages), "tool blocks without toolConfig")
    for tool in tools or ():
        _require(_TOOL_NAME.fullmatch(tool["toolSpec"]["name"]), "the name of a tool")
        _require(tool["toolSpec"]["description"], "an empty description")


def _bedrock_results(content: list[Json], asked: list[str]) -> None:
    answered = [block["toolResult"]["toolUseId"] for block in content if "toolResult" in block]
    _require(len(answered) == len(set(answered)), "a tool use with two results")
    _require(set(asked) == set(answered), f"tool uses {asked} with results {answered}")
    _require(all("toolResult" in block for block in content[: len(answered)]), "something before a tool result")


def _bedrock_block(block: Json, role: str, names: set[str]) -> None:
    kinds = {"text", "cachePoint"} | (
        {"image", "document", "toolResult"} if role == "user" else {"toolUse", "reasoningContent"}
    )
    match _only_member(block, kinds):
        case "toolUse":
            use = block["toolUse"]
            _require(use.keys() == {"toolUseId", "name", "input"}, "members of a tool use")
            _require(_TOOL_NAME.fullmatch(use["name"]), f"tool name {use['name']!r}")
            _require(isinstance(use["input"], dict), "a tool input that is no object")
        case "toolResult":
            result = block["toolResult"]
            _require(result["content"], "an empty tool result")
            _require(result.get("status", "success") in {"success", "error"}, "the status of a tool result")
            for item in result["content"]:
                if _only_member(item, {"text", "json", "image", "document"}) == "json":
                    _require(isinstance(item["json"], dict), "json that is no object")
                else:
                    _bedrock_content(item, names)
        case "cachePoint" | "reasoningContent":
            pass
        case _:
            _bedrock_content(block, names)


def _bedrock_content(block: Json, names: set[str]) -> None:
    match block:
        case {"text": text}:
            _require(text.strip(), "blank text")
        case {"image": image}:
            _require(image["format"] in _IMAGES, f"image format {image['format']!r}")
            _require(base64.b64decode(image["source"]["bytes"], validate=True), "an empty image")
        case {"document": document}:
            name = document["name"]
            _require(document["format"] in _DOCUMENTS, f"document format {document['format']!r}")
            _require(_DOCUMENT_NAME.fullmatch(name), f"document name {name!r}")
            _require(name not in names, f"two documents of the name {name!r}")
            _require(base64.b64decode(document["source"]["bytes"], validate=True), "an empty document")
            names.add(name)


# --- OpenAI ---


def _openai(body: Json) -> None:
    messages = [message for message in body["messages"] if message["role"] != "system"]
    _require(messages, "no messages")
    _require(messages[0]["role"] == "user", "the first message is not the user's")
    _require(messages[-1]["role"] in {"user", "tool"}, "the last message is the assistant's")
    _require(body.get("tools", True), "an empty list of tools")
    waiting: list[str] = []
    used: set[str] = set()
    before = ""
    for message in messages:
        role = message["role"]
        _require(role == "tool" or not waiting, f"tool calls {waiting} without result")
        _require(role != "assistant" or before != "assistant", "two messages of the assistant")
        match role:
            case "tool":
                _require(message["tool_call_id"] in waiting, f"result {message['tool_call_id']!r} without call")
                waiting.remove(message["tool_call_id"])
                _openai_content(message["content"], {"text"})
            case "assistant":
                waiting = list(_openai_calls(message.get("tool_calls", ()), used))
                _require(message.get("content") or waiting, "a message without content")
                if "content" in message:
                    _openai_content(message["content"], {"text"})
            case "user":
                _openai_content(message["content"], {"text", "image_url", "file"})
            case _:
                _require(False, f"role {role!r}")
        before = role
    _require(not waiting, f"tool calls {waiting} without result")


def _openai_calls(calls: Sequence[Json], used: set[str]) -> Iterator[str]:
    for call in calls:
        _require(call["id"] and len(call["id"]) <= 40, f"tool call id {call['id']!r}")
        _require(call["id"] not in used, "a tool call id used twice")
        used.add(call["id"])
        _require(_TOOL_NAME.fullmatch(call["function"]["name"]), f"function name {call['function']['name']!r}")
        _require(isinstance(json.loads(call["function"]["arguments"]), dict), "arguments that are no object")
        yield call["id"]


def _openai_content(content: Any, kinds: set[str]) -> None:
    parts: list[Json] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    _require(parts, "empty content")
    for part in parts:
        _require(part["type"] in kinds, f"a part {part['type']!r}")
        _require(part["type"] != "text" or part["text"].strip(), "blank text")
        if part["type"] == "file":
            _require(part["file"]["file_data"].startswith("data:application/pdf;"), "a file that is no PDF")


# --- Gemini ---


def _gemini(body: Json) -> None:
    contents = body["contents"]
    _alternate([content["role"] for content in contents], "user")
    asked: list[tuple[Any, str]] = []
    for content in contents:
        parts = content["parts"]
        _require(parts, "no parts")
        calls = [
            (part["functionCall"].get("id"), part["functionCall"]["name"]) for part in parts if "functionCall" in part
        ]
        answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
        answered = [(answer.get("id"), answer["name"]) for answer in answers]
        if content["role"] == "user":
            _require(not calls, "a function call of the user")
            _require(sorted(map(str, asked)) == sorted(map(str, answered)), f"calls {asked} with responses {answered}")
        else:
            _require(not answered, "a function response of the model")
            _require(len(calls) == len(set(calls)), "two function calls of one id")
        asked = calls
        for part in parts:
            _gemini_part({name: value for name, value in part.items() if name not in {"thought", "thoughtSignature"}})


def _gemini_part(part: Json) -> None:
    match _only_member(part, {"text", "inlineData", "functionCall", "functionResponse"}):
        case "text":
            _require(part["text"].strip(), "blank text")
        case "inlineData":
            # Both ways of writing a member are the provider's own.
            file = {name.replace("mime_type", "mimeType"): value for name, value in part["inlineData"].items()}
            _require(file["mimeType"] in _GEMINI_FILES, f"media {file['mimeType']!r}")
            _require(file.get("data"), "an empty file")
        case "functionCall":
            _require(_GEMINI_NAME.fullmatch(part["functionCall"]["name"]), "the name of a function")
            _require(isinstance(part["functionCall"].get("args", {}), dict), "arguments that are no object")
        case "functionResponse":
            _require(part["functionResponse"]["response"], "an empty function response")
