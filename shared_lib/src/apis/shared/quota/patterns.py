"""Which e-mail domains a rule means: a list of domains, or an expression of an administrator's own."""

from collections.abc import Callable
from functools import partial
from typing import Any

from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt

LONGEST_EXPRESSION = 200
LONGEST_DOMAIN = 253
EXPRESSION_MEMORY_BYTES = 1024 * 1024

type Matcher = Callable[[str], bool]
"""Whether a domain in lower case is meant."""

_EXPRESSION, _SUBDOMAINS = "regex:", "*."
_NO_DOMAIN = frozenset({"", "*", _SUBDOMAINS})


def domain_matcher(pattern: str) -> Result[Matcher, ErrorDetail]:
    """`regex:` and an expression that has to match from the start, or domains separated by commas, in any case;
    `*.base` means `base` and everything below it.

    Fails with `bad_request` for a pattern that can match nobody: one without a domain, or an expression that is too
    long or not understood. Expressions are those of RE2, which takes no more time for an evil one than for any other:
    it has no look-around and no references to groups.
    """
    if pattern.startswith(_EXPRESSION):
        return _expression(pattern.removeprefix(_EXPRESSION))
    parts = [part for text in pattern.lower().split(",") if (part := text.strip()) not in _NO_DOMAIN]
    if not parts:
        return Failure(_unusable("The pattern names no domain."))
    return Success(lambda domain: any(_is_meant(domain, part) for part in parts))


def _is_meant(domain: str, part: str) -> bool:
    if part.startswith(_SUBDOMAINS):
        base = part.removeprefix(_SUBDOMAINS)
        return domain == base or domain.endswith(f".{base}")
    return domain == part


def _expression(text: str) -> Result[Matcher, ErrorDetail]:
    if not text or len(text) > LONGEST_EXPRESSION:
        return Failure(_unusable(f"The expression has 1 to {LONGEST_EXPRESSION} characters."))
    import re2  # noqa: PLC0415 - lazy: few deployments have such a rule

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = EXPRESSION_MEMORY_BYTES
    not_understood = ErrorTable.of((re2.error, lambda _: _unusable("The expression is not understood.")))
    return attempt(re2.compile, text, options, errors=not_understood).map(lambda compiled: partial(_begins, compiled))


def _begins(compiled: Any, domain: str) -> bool:  # Any: the library has no types
    # What is not printable is no domain, and half a character cannot be given to the library.
    return len(domain) <= LONGEST_DOMAIN and domain.isprintable() and compiled.match(domain) is not None


def _unusable(message: str) -> ErrorDetail:
    return bad_request(message, field="emailDomain")
