"""Titles and tags: one normal form, caseless search."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.domain.unicode_text import fold
from functions.schemas.filters import parse_filter
from functions.schemas.links import parse_link_changes, parse_new_links
from tests.support.links import a_link

E_COMPOSED, E_DECOMPOSED = "\u00e9", "e\u0301"


def matches(query: dict[str, Any], **fields: Any) -> bool:
    return parse_filter(query).matches(a_link(**fields), now="2026-01-02T00:00:00.000Z")


def test_titles_and_tags_are_normalised_and_tags_unique() -> None:
    body = {
        "title": f"caf{E_DECOMPOSED}",
        "tags": ["b", f"caf{E_DECOMPOSED}", "a", f"caf{E_COMPOSED}", "b", "B"],
    }
    [new] = parse_new_links({"originalUrl": "https://example.com/"} | body)
    stored = {"title": f"caf{E_COMPOSED}", "tags": ["b", f"caf{E_COMPOSED}", "a", "B"]}
    assert {"title": new.title, "tags": new.tags} == stored
    assert parse_link_changes(body) == stored


@pytest.mark.parametrize("given_tag", [f"caf{E_DECOMPOSED}", f"caf{E_COMPOSED}"])
@pytest.mark.parametrize("own", [f"caf{E_DECOMPOSED}", f"caf{E_COMPOSED}"])
def test_a_tag_is_found_in_either_normal_form(given_tag: str, own: str) -> None:
    [new] = parse_new_links({"originalUrl": "https://example.com/", "tags": ["x", own]})
    assert matches({"tag": given_tag}, tags=new.tags)
    assert not matches({"tag": "cafe"}, tags=new.tags)
    assert not matches({"tag": given_tag.upper()}, tags=new.tags)


@pytest.mark.parametrize(
    ("part", "title"),
    [
        ("istanbul", "Fähre nach İSTANBUL"),
        ("ISTANBUL", "İstanbul"),
        ("İSTANBUL", "istanbul"),
        ("I\u0307stanbul", "istanbul"),
        ("istanbul", "i\u0307stanbul"),
        ("STRASSE", "Straße"),
        ("straße", "STRASSE"),
        ("ẞ", "ss"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ΌΣΟΣ", "\u03bf\u0301σος"),
        ("cafÉ", f"CAF{E_DECOMPOSED}"),
        ("wide", "ＷＩＤＥ"),
        ("fish", "ﬁsh"),
        ("ᏸ", "Ᏸ"),
        ("kelvin", "\u212aelvin"),
    ],
)
def test_search_folds_case_as_unicode_does(part: str, title: str) -> None:
    assert matches({"title": part}, title=title)


@pytest.mark.parametrize(
    ("part", "title"), [("cafe", "café"), ("ispanak", "ıspanak"), ("istanbul", "ankara"), ("a", "")]
)
def test_search_has_no_false_matches(part: str, title: str) -> None:
    assert not matches({"title": part}, title=title)


@given(st.text(min_size=1, max_size=20))
@example("i\u0307\u0307")
@example("\u0130\u0303")
def test_case_folding_is_stable_and_never_empty(text: str) -> None:
    """An empty needle would match every title, and a filter may delete."""
    assert fold(text) != ""
    assert fold(fold(text)) == fold(text)
    assert fold(text.upper()) == fold(text.upper().lower())
