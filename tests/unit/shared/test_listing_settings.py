"""What administrators look at providers' models with: the variables, and which of two names wins."""

import pytest

from apis.shared.settings import ListingSettings


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({}, None),
        ({"GOOGLE_API_KEY": "", "GOOGLE_GEMINI_API_KEY": ""}, None),
        ({"GOOGLE_API_KEY": "a"}, "a"),
        ({"GOOGLE_GEMINI_API_KEY": "b"}, "b"),
        ({"GOOGLE_API_KEY": "", "GOOGLE_GEMINI_API_KEY": "b"}, "b"),
        ({"GOOGLE_API_KEY": "a", "GOOGLE_GEMINI_API_KEY": "b"}, "a"),
    ],
    ids=str,
)
def test_the_key_of_google(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], key: str | None) -> None:
    for name in ("GOOGLE_API_KEY", "GOOGLE_GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = ListingSettings().google_api_key
    assert (found.get_secret_value() if found else None) == key


@pytest.mark.parametrize(("region", "expected"), [(None, "us-east-1"), ("", "us-east-1"), ("eu-west-1", "eu-west-1")])
def test_the_region_of_bedrock(monkeypatch: pytest.MonkeyPatch, region: str | None, expected: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.delenv("AWS_REGION", raising=False)
    if region is not None:
        monkeypatch.setenv("AWS_REGION", region)
    assert ListingSettings().aws_region == expected
