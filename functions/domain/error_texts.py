"""Texts of errors: reason phrases, and input named at a length that a response can hold."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

#: How many invalid ids an error names, together with a count. Also the maximum length of an id that
#: is named whole, in characters.
NAMED_IDS = 100

#: Maximum number of errors in a response. Validation stops there, so that a body of 1,000 invalid
#: links takes no more work than one.
MAX_FAULTS = 20

#: Maximum characters of an error's sentences. Echoed input is shortened before; this is a second
#: bound, because Lambda drops a response of more than 6 MB.
MAX_SENTENCE = 500

#: Two statuses that have older names in Python before 3.13 (RFC 9110, sections 15.5.14, 15.5.21).
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}


def phrase_of(status: int) -> str:
    """The reason phrase of a status in RFC 9110, the same in every Python version."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def as_text(value: object) -> str:
    """How an error names an invalid id: as given if it is a short text, else as shortened JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shortened(text)


def shortened(text: str, maximum: int = NAMED_IDS) -> str:
    """At most ``maximum`` characters of a text, and an ellipsis for the rest.

    Fewer if there are many control characters, because each takes seven bytes of JSON in JSON. A
    text takes at most four bytes per character in a response.
    """
    short = text[:maximum]
    if len(json.dumps(json.dumps(short, ensure_ascii=False), ensure_ascii=False)) > 4 * maximum + 8:
        short = short[: maximum * 4 // 7]
    return short if len(short) == len(text) else short + "…"


def bounded(value: Any) -> Any:
    """A member of an error, with lists and texts cut to fit a response."""
    if isinstance(value, str):
        return shortened(value, MAX_SENTENCE)
    if isinstance(value, dict):
        return {name: bounded(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [bounded(each) for each in value[:NAMED_IDS]]
    return value
