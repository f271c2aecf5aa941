"""The pages that a person sees."""

import json
import shlex
from collections.abc import Sequence
from html import escape

from devstack.identity.people import Person

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }}
button {{ display: block; width: 100%; font: inherit; text-align: left; margin: .5rem 0; padding: .7rem 1rem; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: #eee; padding: 1rem; }}
</style></head>
<body><h1>{title}</h1>
{body}
</body></html>"""


def choice(people: Sequence[Person]) -> str:
    """The form is sent to the page's own address, which holds what the application asked for."""
    buttons = "\n".join(
        f'<button name="person" value="{escape(person.user_id)}">{escape(person.name)}, {escape(person.what)}'
        f"<br><small>{escape(', '.join(person.roles))}</small></button>"
        for person in people
    )
    return _page("Who are you?", f'<form method="post">\n{buttons}\n<button>Nobody: cancel</button>\n</form>')


def signed_in(app_url: str, code: str, state: str) -> str:
    """Stands in for the web client: what it would do with the code, as a command."""
    body = json.dumps({"code": code, "state": state})
    token = f"curl -s {app_url}/auth/token -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    command = f'TOKEN=$({token} | sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')'
    use = f'curl {app_url}/sessions -H "Authorization: Bearer $TOKEN"'
    return _page(
        "Signed in",
        f"<p>Get a token within a minute, then use it:</p><pre>{escape(command)}\n\n{escape(use)}</pre>",
    )


def connected(app_url: str, error: str | None) -> str:
    """Stands in for the web client at the end of connecting an account."""
    if error is not None:
        return message("Not connected", f"The App API says: {error}")
    shown = f'curl {app_url}/oauth/connections -H "Authorization: Bearer $TOKEN"'
    return _page("Connected", f"<p>See what the App API knows of it:</p><pre>{escape(shown)}</pre>")


def message(title: str, text: str) -> str:
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=escape(title), body=body)
