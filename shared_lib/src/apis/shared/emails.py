"""E-mail addresses as they are compared: one form, whoever wrote them and whatever they were copied from."""

import re

# Zero-width characters, marks of direction and of byte order: a mail program puts them around an address.
_INVISIBLE = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_AROUND = re.compile(rf"^[\s{_INVISIBLE}]+|[\s{_INVISIBLE}]+\Z")


def normal_email(text: str) -> str:
    """Lower case, without blanks and invisible characters at the ends; no part of an address is dropped."""
    return _AROUND.sub("", text.lower())
