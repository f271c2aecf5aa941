"""What is printed when everything runs: addresses, and commands to try."""

import json
import shlex
import uuid

from devstack.model import PROVIDER
from devstack.seed import LOCAL_PROVIDER
from devstack.stack import Stack

_AUTHORIZATION = ' -H "Authorization: Bearer $TOKEN"'
# Instead of the default prompt of 400 tokens, which a small model reads for seconds before it answers.
BRIEF = "You are a helpful assistant. Answer in two sentences."


def banner(stack: Stack) -> str:
    session_id = str(uuid.uuid4())
    authorized = _AUTHORIZATION if stack.identity is not None else ""
    return f"""
Everything is running; Ctrl-C stops it.

  App API        {stack.app_url}  (documentation: {stack.app_url}/docs)
  Inference API  {stack.inference_url}  (documentation: {stack.inference_url}/docs)
  AWS            {stack.aws_url or "your account"}
  Objects        {stack.objects_url or "as AWS"}
  Model          {stack.model.name} at {stack.model.base_url}
  Identity       {stack.identity.url if stack.identity is not None else "nobody has to sign in"}
  Logs           {stack.log_dir}
{_how_to_sign_in(stack)}
Stream an answer:

  {invocation(stack, session_id, "Why is the sky blue?")}

Then look at the session and its messages, with tokens and cost:

  curl {stack.app_url}/sessions{authorized}
  curl {stack.app_url}/sessions/{session_id}/messages{authorized}
"""


def _how_to_sign_in(stack: Stack) -> str:
    if stack.identity is None:
        return ""
    return f"""
Sign in: open the address that this answers, choose a person, and follow the page. It sets TOKEN, which the commands
below use.

  curl {stack.app_url}/auth/login
{_how_to_connect(stack)}"""


def _how_to_connect(stack: Stack) -> str:
    if stack.aws_url is None:
        return ""
    return f"""
Connect an account that tools may use, at the same provider: open the address that this answers, and choose a person.

  curl {stack.app_url}/oauth/connect/{LOCAL_PROVIDER}{_AUTHORIZATION}
"""


def invocation(stack: Stack, session_id: str, message: str) -> str:
    """The shell command that sends `message` and shows the event stream."""
    body = {
        "session_id": session_id,
        "message": message,
        "provider": PROVIDER,
        "model_id": stack.model.name,
        "system_prompt": BRIEF,
        "temperature": 0.2,
        "enabled_tools": [],
    }
    command = " ".join(
        shlex.quote(part)
        for part in (
            "curl", "-N", f"{stack.inference_url}/invocations",
            "-H", "Content-Type: application/json", "-d", json.dumps(body),
        )
    )  # fmt: skip
    return command + (_AUTHORIZATION if stack.identity is not None else "")
