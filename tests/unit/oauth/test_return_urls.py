from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apis.app_api.oauth.return_urls import ReturnUrls, authorization_url, is_endpoint, with_parameters

URLS = ReturnUrls.of("https://app.example.edu", ["http://localhost:4200", "https://beta.example.edu:8443"])

BAD = [
    "",
    "/settings",
    "https://evil.example/",
    "https://app.example.edu.evil.example/",
    "https://app.example.edu@evil.example/",
    "https://evil.example@app.example.edu/",
    "https://app.example.edu\\@evil.example/",
    "https://app.example.edu\\.evil.example/",
    "//evil.example",
    "//app.example.edu/",
    "https:evil.example",
    "https:/app.example.edu/",
    "https:///app.example.edu/",
    "https://app.exa%09mple.edu/",
    "https://app.exa\tmple.edu/",
    "https://app.example.edu/\nx",
    "https://app.example.edu/ ",
    " https://app.example.edu/",
    "javascript:alert(1)",
    "https://app.example.edu/#x",
    "https://app.example.edu#",
    "http://app.example.edu/",
    "https://app.example.edu:444/",
    "https://app.example.edu:x/",
    "https://app.example.edu:0/",
    "https://app.example.edu:99999/",
    "https://app.example.edu./",
    "https://[app.example.edu/",
    "https://app.example\N{IDEOGRAPHIC FULL STOP}edu/",
    "http://localhost:4201/",
    "https://localhost:4200/",
    "http://127.0.0.1:4200/",
    "data:text/html,https://app.example.edu/",
]


@pytest.mark.parametrize("url", BAD)
def test_b7_pages_that_are_not_ours(url: str) -> None:
    assert not URLS.allows(url)
    assert URLS.chosen(url) == "https://app.example.edu/settings/oauth/callback"


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.edu",
        "https://APP.example.edu:443/cb?x=1",
        "HTTPS://app.example.edu/a/b?next=https://evil.example",
        "http://localhost:4200/settings/oauth/callback",
        "https://beta.example.edu:8443/",
    ],
)
def test_b7_pages_of_ours(url: str) -> None:
    assert URLS.chosen(url) == url


@given(st.text(alphabet="htps:/\\@.#?%ae0 \t\nñapp.example.edu", max_size=60))
@example("https://app.example.edu\\@evil.example")
def test_a_page_that_is_allowed_is_one_of_ours_however_it_is_read(text: str) -> None:
    url = f"https://app.example.edu{text}"
    if URLS.allows(url):
        # As browsers read it: a backslash is a slash, tabs and line ends are left out.
        read = urlsplit(url.replace("\\", "/").replace("\t", "").replace("\n", "").strip())
        assert (read.hostname, read.username, read.fragment) == ("app.example.edu", None, "")


@given(st.dictionaries(st.sampled_from(["a", "error", "provider"]), st.text(max_size=20)), st.booleans())
def test_parameters_come_back_as_they_were(parameters: dict[str, str], has_query: bool) -> None:
    base = "https://app.example.edu/cb?x=1" if has_query else "https://app.example.edu/cb"
    before = {"x": "1"} if has_query else {}
    for url in (with_parameters(base, parameters), authorization_url(base, parameters)):
        assert "\n" not in url
        assert dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) == {**before, **parameters}


def test_how_values_are_written() -> None:
    assert with_parameters("https://a", {"error": "a b"}) == "https://a?error=a+b"
    assert authorization_url("https://a", {"scope": "a b/c"}) == "https://a?scope=a%20b%2Fc"


@pytest.mark.parametrize(
    ("url", "is_one", "is_one_for_developers"),
    [
        ("https://tok.example/token?x=1", True, True),
        ("http://tok.example/token", False, True),
        ("https://user@tok.example/", False, False),
        ("https://tok.example/#x", False, False),
        ("ftp://tok.example/", False, False),
        ("tok.example", False, False),
        ("https://", False, False),
        ("https://tok.example/a b", False, False),
    ],
)
def test_d11_addresses_that_secrets_are_sent_to(url: str, is_one: bool, is_one_for_developers: bool) -> None:
    assert is_endpoint(url, may_be_plain=False) is is_one
    assert is_endpoint(url, may_be_plain=True) is is_one_for_developers
