"""The clients that listings are made with."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from apis.app_api.listings import service
from apis.shared import lifecycle
from apis.shared.wiring import forget_all


@pytest.mark.parametrize(
    ("made_by", "listed_by", "closed_by"),
    [
        ("openai.AsyncOpenAI", service.openai_models, "openai.AsyncOpenAI"),
        ("google.genai.Client", service.gemini_models, "httpx.AsyncClient"),
    ],
    ids=["openai", "gemini"],
)
async def test_a_client_is_made_off_the_event_loop_once_and_closed_with_the_process(
    monkeypatch: pytest.MonkeyPatch, made_by: str, listed_by: Any, closed_by: str
) -> None:
    made: list[threading.Thread] = []
    closed: list[str] = []

    class Client:
        def __init__(self, **_: Any) -> None:
            made.append(threading.current_thread())
            self.models = self
            self.aio = self

        async def list(self, **_: Any) -> Any:
            return SimpleNamespace(data=[], page=[], config={})

        async def close(self) -> None:
            closed.append(made_by)

    class Http:
        def __init__(self, **_: Any) -> None: ...

        async def aclose(self) -> None:
            closed.append("httpx.AsyncClient")

    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    monkeypatch.setattr(lifecycle, "_closers", [])
    if closed_by != made_by:
        monkeypatch.setattr("apis.app_api.listings.gemini.httpx.AsyncClient", Http)
        monkeypatch.setattr("apis.app_api.listings.gemini.types.HttpOptions", SimpleNamespace)
    monkeypatch.setattr(made_by, Client)
    forget_all()
    for _ in range(2):
        assert (await listed_by()).unwrap() == []
    assert [thread is threading.main_thread() for thread in made] == [False]
    await lifecycle.close_all()
    assert closed == [closed_by]
