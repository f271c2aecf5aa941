"""What a test chat needs before its stream begins."""

from typing import Any, cast

import pytest

from agents.config import resolve_model_config
from agents.turn import test_chat as module
from agents.turn.gate import Gate
from apis.shared.assistants.models import Assistant
from apis.shared.auth.models import User
from apis.shared.errors import ErrorCode
from apis.shared.result import Failure, Result, Success
from apis.shared.wiring import forget_all

ADA = User(user_id="1", email="ada@example.edu", name="Ada", roles=[])


class Known:
    """Every service of a test chat: an assistant with a document in which nothing is found."""

    async def owned(self, user_id: str, assistant_id: str) -> Result[Assistant, Any]:
        return Success(Assistant(assistant_id=assistant_id, owner_id=user_id))

    async def has_complete(self, _: str) -> Result[bool, Any]:
        return Success(True)

    async def find(self, _: str) -> Result[None, Any]:
        return Success(None)

    async def search(self, *_: str) -> Result[list[Any], Any]:
        return Success([])


async def test_f_ast_31_an_agent_that_cannot_be_built_is_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    forget_all()
    monkeypatch.setattr(
        module, "resolve_model_config", lambda **_: resolve_model_config(model_id="gpt-4o", provider="openai")
    )
    known = cast("Any", Known())  # stands for each of them
    chats = module.TestChats(
        assistants=known, documents=known, knowledge=known, models=known, usage=known, gate=Gate(None)
    )
    opened = await chats.open(ADA, "ast-1", "hi")
    assert isinstance(opened, Failure)
    assert opened.failure().code is ErrorCode.AGENT_ERROR
