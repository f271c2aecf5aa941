"""The provider as a process: `python -m devstack.identity.server PORT TENANT_ID CLIENT_ID CLIENT_SECRET APP_URL`."""

import base64
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from apis.shared.errors import bad_request
from apis.shared.result import ErrorTable, attempt
from apis.shared.settings import AuthSettings, InstitutionSettings, load_env_file, settings
from devstack.identity import pages
from devstack.identity.grants import Application, Authorization, Grants
from devstack.identity.people import Person, sample_people
from devstack.identity.tokens import Signer
from devstack.ports import LOOPBACK

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_ADDRESS = ErrorTable.of((ValueError, lambda _: bad_request("This is no address.")))
_CHALLENGE = re.compile(r"[\w-]{43}", re.ASCII)
_NEVER_KEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_FRAMED_BY_NOBODY = {**_NEVER_KEPT, "Content-Security-Policy": "frame-ancestors 'none'"}


@dataclass(frozen=True, slots=True)
class Provider:
    """The endpoints of one tenant, under the paths of Entra ID, for one application."""

    application: Application
    people: Mapping[str, Person]
    signer: Signer
    grants: Grants
    app_url: str

    def app(self, tenant_id: str) -> Starlette:
        oauth = f"/{tenant_id}/oauth2/v2.0"
        return Starlette(
            routes=[
                Route(f"{oauth}/authorize", self.authorize, methods=["GET", "POST"]),
                Route(f"{oauth}/token", self.token, methods=["POST"]),
                Route(f"{oauth}/revoke", self.revoke, methods=["POST"]),
                Route(f"{oauth}/logout", self.logout),
                Route(f"/{tenant_id}/discovery/v2.0/keys", self.keys),
                Route("/signed-in", self.signed_in),
                Route("/settings/oauth/callback", self.connected),
            ]
        )

    async def authorize(self, request: Request) -> Response:
        """Asks who somebody is, then sends them back with a code. Nobody is sent to an address that is not known."""
        asked = request.query_params
        redirect_uri = asked.get("redirect_uri", "")
        if asked.get("client_id") != self.application.client_id or not _is_on_this_machine(redirect_uri):
            text = "The application is not known here, or wants to send you to another machine than this one."
            return HTMLResponse(pages.message("Not possible", text), 400, _FRAMED_BY_NOBODY)
        back = {"state": asked["state"]} if "state" in asked else {}
        if not _is_code_flow(asked):
            return _redirect(redirect_uri, error="invalid_request", **back)
        if request.method == "GET":
            return HTMLResponse(pages.choice(list(self.people.values())), headers=_FRAMED_BY_NOBODY)
        person = self.people.get((await _form(request)).get("person", ""))
        if person is None:
            return _redirect(redirect_uri, error="access_denied", **back)
        code = self.grants.code_for(
            Authorization(
                person=person,
                client_id=self.application.client_id,
                redirect_uri=redirect_uri,
                scope=asked.get("scope", ""),
                nonce=asked.get("nonce"),
                challenge=asked.get("code_challenge"),
            )
        )
        return _redirect(redirect_uri, code=code, **back)

    async def token(self, request: Request) -> Response:
        """The application proves who it is in the form, or in the header."""
        reply = self.grants.answer({**_basic(request.headers.get("Authorization", "")), **await _form(request)})
        return JSONResponse(reply.body, reply.status, _NEVER_KEPT)

    async def revoke(self, request: Request) -> Response:
        reply = self.grants.revoke(await _form(request))
        return JSONResponse(reply.body, reply.status, _NEVER_KEPT)

    async def logout(self, request: Request) -> Response:
        """Nobody stays signed in here, so there is nothing to end."""
        redirect_uri = request.query_params.get("post_logout_redirect_uri", "")
        if _is_on_this_machine(redirect_uri):
            return _redirect(redirect_uri)
        return HTMLResponse(pages.message("Signed out", "You can close this page."), headers=_FRAMED_BY_NOBODY)

    async def keys(self, _: Request) -> Response:
        return JSONResponse(self.signer.published())

    async def signed_in(self, request: Request) -> Response:
        """Where a sign-in ends that no web client has begun."""
        asked = request.query_params
        if "code" not in asked:
            return HTMLResponse(pages.message("Not signed in", "Nobody was chosen."), headers=_FRAMED_BY_NOBODY)
        page = pages.signed_in(self.app_url, asked["code"], asked.get("state", ""))
        return HTMLResponse(page, headers=_FRAMED_BY_NOBODY)

    async def connected(self, request: Request) -> Response:
        """Where connecting an account ends that no web client has begun."""
        page = pages.connected(self.app_url, request.query_params.get("error"))
        return HTMLResponse(page, headers=_FRAMED_BY_NOBODY)


def _is_code_flow(asked: Mapping[str, str]) -> bool:
    if asked.get("response_type") != "code" or asked.get("response_mode", "query") != "query":
        return False
    challenge, method = asked.get("code_challenge"), asked.get("code_challenge_method")
    return (challenge is None and method is None) or (method == "S256" and bool(_CHALLENGE.fullmatch(challenge or "")))


def _is_on_this_machine(url: str) -> bool:
    parts = attempt(urlsplit, url, errors=_NO_ADDRESS)
    return parts.map(
        lambda known: known.scheme in {"http", "https"} and known.hostname in _THIS_MACHINE and not known.fragment
    ).value_or(False)


def _basic(authorization: str) -> dict[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return {}
    decoded = attempt(lambda: base64.b64decode(encoded, validate=True).decode("latin-1"), errors=_NO_ADDRESS)
    client_id, _, secret = decoded.value_or("").partition(":")
    return {"client_id": client_id, "client_secret": secret}


def _redirect(url: str, **query: str) -> Response:
    separator = "&" if urlsplit(url).query else "?"
    target = f"{url}{separator}{urlencode(query)}" if query else url
    return RedirectResponse(target, 302, _NEVER_KEPT)


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


def main() -> None:
    port, tenant_id, client_id, client_secret, app_url = sys.argv[1:]
    load_env_file()
    institution = settings(InstitutionSettings)
    signer = Signer(f"http://{LOOPBACK}:{port}/{tenant_id}/v2.0", tenant_id, institution)
    application = Application(client_id, client_secret)
    people = {person.user_id: person for person in sample_people(institution, settings(AuthSettings))}
    provider = Provider(application, people, signer, Grants(application, signer), app_url)
    uvicorn.run(provider.app(tenant_id), host=LOOPBACK, port=int(port), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
