"""Whatever a token holds, it is accepted or refused: nothing of it is a bug of ours."""

import asyncio
import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.shared.auth.jwks import KeySet, SigningKeys, key_set
from apis.shared.auth.tokens import TokenValidator, trusted_user
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.result import Failure, Result, Success
from apis.shared.settings import InstitutionSettings
from tests.support.identity_provider import EMPLOYEE_NUMBER, USER_ID, SigningKey

KEY = SigningKey("k")
ISSUER = "https://issuer"
VALID = {
    "iss": ISSUER,
    "exp": 9_999_999_999,
    "aud": "cli",
    "scp": "Read",
    "roles": ["Staff"],
    EMPLOYEE_NUMBER: USER_ID,
}
CLAIMS = [*VALID, "nbf", "iat", "sub", "email", "preferred_username", "name", "given_name", "family_name", "picture"]
REFUSED = {ErrorCode.UNAUTHORIZED, ErrorCode.FORBIDDEN}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


async def published() -> Result[KeySet, ErrorDetail]:
    return Success(key_set([KEY.published]))


def code_of(token: str) -> ErrorCode | None:
    validator = TokenValidator(
        issuer=ISSUER, client_id="cli", keys=SigningKeys(published), institution=InstitutionSettings()
    )
    match asyncio.run(validator.validate(token)):
        case Failure(ErrorDetail(code=code)):
            return code
        case _:
            return None


def test_the_valid_token_of_these_tests_is_valid() -> None:
    assert code_of(KEY.sign(VALID)) is None


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.sampled_from(CLAIMS), json_values, min_size=1, max_size=3))
def test_any_claims(claims: dict[str, object]) -> None:
    # PyJWT does not sign an issuer that is no string.
    signed = {name: value for name, value in (VALID | claims).items() if name != "iss" or isinstance(value, str)}
    assert code_of(KEY.sign(signed)) in {None, *REFUSED}


@settings(deadline=None, max_examples=150)
@given(st.text() | st.from_regex(r"[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*", fullmatch=True))
def test_any_text(text: str) -> None:
    assert code_of(text) is ErrorCode.UNAUTHORIZED
    match asyncio.run(trusted_user(text, InstitutionSettings())):
        case Failure(ErrorDetail(code=code)):
            assert code is ErrorCode.UNAUTHORIZED
        case user:
            raise AssertionError(user)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", "rs256", "", None, 5, ["RS256"]])
async def test_the_algorithm_is_checked_before_a_key_is_looked_for(algorithm: object) -> None:
    """Anybody can write a token that names a key; looking for one may ask the provider."""
    fetches = 0

    async def fetch() -> Result[KeySet, ErrorDetail]:
        nonlocal fetches
        fetches += 1
        return await published()

    validator = TokenValidator(
        issuer=ISSUER, client_id="cli", keys=SigningKeys(fetch), institution=InstitutionSettings()
    )
    parts = ({"alg": algorithm, "kid": "unknown"}, VALID)
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    for token in (f"{head}.{body}.", f"{head}.{body}.c2lnbmVk"):
        assert (await validator.validate(token)).failure().code is ErrorCode.UNAUTHORIZED
    assert fetches == 0
