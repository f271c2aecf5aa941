"""A web site on loopback that answers each path as it is told, and remembers what it was asked."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.support.serving import serving

type Told = Response | Callable[[], Response]


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebSite:
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    pages: dict[str, Told | list[Told]] = field(default_factory=dict)
    """By path, `*` for every other one; of a list each request takes the next, and the last is repeated."""

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self.asked.append(Asked(request.method, request.url.path, dict(request.headers), await request.body()))
        told = self.pages.get(request.url.path, self.pages.get("*", Response("not here", 404)))
        if isinstance(told, list):
            told = told.pop(0) if len(told) > 1 else told[0]
        await (told if isinstance(told, Response) else told())(scope, receive, send)


@asynccontextmanager
async def web_site() -> AsyncIterator[WebSite]:
    site = WebSite()
    async with serving(site) as url:
        site.url = url
        yield site
