"""Parsing bodies: specific errors, and bounded work."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.api import json_body
from functions.api.json_body import MAX_MEMBERS, MAX_OBJECT_MEMBERS, parse_json
from functions.domain.errors import InvalidRequest
from functions.schemas import links


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (gzip.compress(b"[]", mtime=0), "The body is compressed (gzip); send it uncompressed"),
        (
            b"\xef\xbb\xbf[]",
            "The body starts with a byte order mark; send UTF-8 without one",
        ),
        ("[]".encode("utf-16"), "The body is UTF-16 or UTF-32; send UTF-8"),
        ("[1]".encode("utf-16-be"), "The body is UTF-16 or UTF-32; send UTF-8"),
        ("[1]".encode("utf-16-le"), "The body is UTF-16 or UTF-32; send UTF-8"),
        ("[1]".encode("utf-32"), "The body is UTF-16 or UTF-32; send UTF-8"),
        ('["é"]'.encode("latin-1"), "The body is not UTF-8"),
        (b'["\xed\xa0\x80"]', "The body is not UTF-8"),
        (
            b'["\\ud800"]',
            "The body has half of a surrogate pair (\\ud800), which is not a character",
        ),
        (
            b'{"\\uDFFF": 1}',
            "The body has half of a surrogate pair (\\udfff), which is not a character",
        ),
        (b"[1,]", "The body is not valid JSON"),
        (b"{", "The body is not valid JSON"),
        (b"[NaN]", "The body is not valid JSON"),
        (b"[-Infinity]", "The body is not valid JSON"),
        (b"[" + b"9" * 5000 + b"]", "The body is not valid JSON"),
        (b"[" * 200_000, "The body is nested too deeply"),
        (b'{"a":' * 200_000, "The body is nested too deeply"),
        (b'{"dryRun": true, "dryRun": false}', "The body has a duplicate member"),
        (b'{"filter": {"tag": 1, "t\\u0061g": 2}}', "The body has a duplicate member"),
        (b'[{"title": "a", "title": "b"}]', "The body has a duplicate member"),
        (b" \n", "The request has no body"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_an_unreadable_body_gets_a_specific_error(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(raw)
    assert refused.value.message == message


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_json(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the objects that the parser was given to build."""
    sizes: list[int] = []

    class Counting(json_body._Members):
        def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            sizes.append(len(pairs))
            return super().__call__(pairs)

    monkeypatch.setattr(json_body, "_Members", Counting)
    return sizes


def objects(count: int, members: int) -> bytes:
    one = json.dumps({f"m{n}": 1 for n in range(members)}, separators=(",", ":"))
    return f"[{','.join([one] * count)}]".encode()


def test_parsing_stops_at_the_first_object_with_too_many_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = counted(monkeypatch)
    with pytest.raises(InvalidRequest, match="An object has more than 64 members"):
        parse_json(objects(1_000, 560))
    assert sizes == [560]


def test_parsing_stops_when_all_objects_have_too_many_members_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = counted(monkeypatch)
    with pytest.raises(InvalidRequest, match="The body has more than 50,000 members"):
        parse_json(objects(5_000, MAX_OBJECT_MEMBERS))
    assert sum(sizes) <= MAX_MEMBERS + MAX_OBJECT_MEMBERS


def test_the_largest_valid_body_is_far_below_the_limits() -> None:
    fields = links.NewLink.model_fields.keys()
    of_one = len(fields) + len(links.UtmParameters.model_fields)
    assert len(fields) * 2 <= MAX_OBJECT_MEMBERS
    assert of_one * links.MAX_CREATE * 2 <= MAX_MEMBERS


class Read(list[Any]):
    """A list that counts how many of its entries were read."""

    asked = 0

    def __iter__(self) -> Iterator[Any]:
        for entry in super().__iter__():
            self.asked += 1
            yield entry


def test_validation_stops_after_twenty_errors() -> None:
    body = Read([{f"m{n}": 1 for n in range(7)} for _ in range(1_000)])
    with pytest.raises(InvalidRequest) as refused:
        links.parse_new_links(body)
    # Each has eight faults: seven unknown members and no originalUrl.
    assert body.asked == 3
    details = refused.value.members["details"]
    assert len(details) == 20
    assert details[0] == "0.originalUrl: Field required"
    assert details[-1] == "2.m2: unknown member"


def test_errors_of_several_links_are_named_with_their_position() -> None:
    with pytest.raises(InvalidRequest) as refused:
        links.parse_new_links([{"originalUrl": "https://example.com/"}, 5, {"title": 1}])
    assert refused.value.members["details"] == [
        "1: must be an object",
        "2.originalUrl: Field required",
        "2.title: Input should be a valid string",
    ]


def test_errors_of_a_single_object_have_no_position() -> None:
    with pytest.raises(InvalidRequest) as refused:
        links.parse_new_links("text")
    assert refused.value.members["details"] == ["body: must be an object"]
