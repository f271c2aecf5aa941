"""One form for all e-mails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.auth.claims import user_from
from apis.shared.emails import normal_email
from apis.shared.settings import InstitutionSettings, settings

AROUND = [" ", "\t", "\u00a0", "\u200b", "\u200d", "\u200e", "\u202a", "\u202e", "\u2066", "\u2069", "\ufeff", "\n"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("Pat@Example.EDU", "pat@example.edu"),
        ("\u200bpat@example.edu\u00a0", "pat@example.edu"),
        ("\u202apat@example.edu\u202c", "pat@example.edu"),
        ("pat+bio@example.edu", "pat+bio@example.edu"),
        ("a\u200bb@c.edu", "a\u200bb@c.edu"),
        ("\u200b", ""),
        ("", ""),
    ],
    ids=range(7),
)
def test_examples(text: str, email: str) -> None:
    assert normal_email(text) == email


@given(texts)
def test_the_normal_form_is_its_own(text: str) -> None:
    assert normal_email(normal_email(text)) == normal_email(text)


@given(st.emails(), st.lists(st.sampled_from(AROUND), max_size=4), st.lists(st.sampled_from(AROUND), max_size=4))
def test_what_stands_around_an_address_never_matters(email: str, before: list[str], after: list[str]) -> None:
    assert normal_email("".join([*before, email.upper(), *after])) == normal_email(email)


@given(texts)
def test_a_token_is_read_in_the_same_form(text: str) -> None:
    institution = settings(InstitutionSettings)
    claims = {institution.employee_number_claim: "123456789", "email": text, "preferred_username": text}
    assert user_from(claims, institution).unwrap().email == normal_email(text)
