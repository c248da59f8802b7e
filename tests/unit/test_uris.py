"""Destinations as URIs: accepted characters, and the ``Location`` header."""

from __future__ import annotations

import re
import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.domain import uris
from functions.domain.errors import InvalidRequest
from functions.domain.redirect_target import with_campaign
from functions.domain.uris import MAX_URL, to_uri
from functions.schemas.links import parse_new_links

#: RFC 3986, appendix A, for absolute URIs with an authority.
_PCT = "%[0-9A-Fa-f]{2}"
_PCHAR = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|{_PCT})"
_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|{_PCT})*)"
URI = re.compile(
    rf"https?://{_HOST}(?::[0-9]*)?(?:/{_PCHAR}*)*"
    rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?",
    re.IGNORECASE,
)


def accepted(address: str) -> bool:
    try:
        parse_new_links({"originalUrl": address})
    except InvalidRequest:
        return False
    return True


def why_refused(address: str) -> list[str]:
    with pytest.raises(InvalidRequest) as refusal:
        parse_new_links({"originalUrl": address})
    details: list[str] = refusal.value.members["details"]
    return details


@pytest.mark.parametrize(
    ("address", "location"),
    [
        (
            "https://example.com/👨\u200d👩\u200d👧",
            "https://example.com/%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7",
        ),
        # Persian with a zero-width non-joiner.
        (
            "https://example.com/می\u200cخواهم",
            "https://example.com/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85",
        ),
        # Not assigned in the Unicode of Python 3.11, and not in any yet.
        ("https://example.com/\U0001fae9", "https://example.com/%F0%9F%AB%A9"),
        ("https://example.com/\U0003abcd", "https://example.com/%F0%BA%AF%8D"),
        ("https://example.com/?q=\ue000", "https://example.com/?q=%EE%80%80"),
        ("https://example.com/\u00ad", "https://example.com/%C2%AD"),
        ("https://example.com/❤\ufe0f", "https://example.com/%E2%9D%A4%EF%B8%8F"),
        # Encoded is only what RFC 3986 excludes.
        ("https://example.com/a|b", "https://example.com/a%7Cb"),
        ("https://example.com/a[0]?b[]=1#[", "https://example.com/a%5B0%5D?b%5B%5D=1#%5B"),
        ('https://example.com/"<>^`{}', "https://example.com/%22%3C%3E%5E%60%7B%7D"),
        ("https://example.com/100%", "https://example.com/100%25"),
        ("https://example.com/%zz%4", "https://example.com/%25zz%254"),
        ("https://example.com/%e9%E9", "https://example.com/%e9%E9"),
        ("https://example.com/a\\b?c\\d#e\\f", "https://example.com/a/b?c%5Cd#e%5Cf"),
        ("https://example.com/#a#b", "https://example.com/#a%23b"),
        # Nothing of these changes, as nothing has to.
        ("HTTPS://Example.COM:443", "HTTPS://Example.COM:443"),
        ("https://example.com/?", "https://example.com/?"),
        ("https://example.com?#", "https://example.com?#"),
        ("https://example.com:/a/../b//c/.", "https://example.com:/a/../b//c/."),
        ("https://example.com/ü?", "https://example.com/%C3%BC?"),
        ("https://example.com/ü?#", "https://example.com/%C3%BC?#"),
        ("https://example.com/ü#", "https://example.com/%C3%BC#"),
        ("https://ü.example:/?", "https://xn--tda.example:/?"),
    ],
)
def test_the_characters_of_an_address_are_accepted_and_encoded(address: str, location: str) -> None:
    [link] = parse_new_links({"originalUrl": address})
    assert with_campaign(link.originalUrl, {}) == location


@pytest.mark.parametrize("code_point", [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2066])
def test_bidirectional_formatting_is_refused(code_point: int) -> None:
    assert why_refused(f"https://example.com/a{chr(code_point)}b") == [
        "originalUrl: a URL has no bidirectional formatting characters"
    ]


@pytest.mark.parametrize("character", [*"\0\t\n\r \x7f\x85\xa0\u2003\u2028\u3000"])
def test_spaces_and_controls_are_refused(character: str) -> None:
    assert why_refused(f"https://example.com/a{character}b") == [
        "originalUrl: a URL has no spaces or control characters"
    ]


@pytest.mark.parametrize(
    "character", ["\ufdd0", "\ufff9", "\uffff", "\U0001fffe", "\U000e0001", "\ud800", "\U0010ffff"]
)
def test_characters_outside_rfc_3987_are_refused(character: str) -> None:
    assert not accepted(f"https://example.com/a{character}b")


def test_private_use_characters_are_allowed_in_a_query_only() -> None:
    assert accepted("https://example.com/?\ue000")
    assert not accepted("https://example.com/\ue000?")
    assert not accepted("https://example.com/?#\ue000")


@pytest.mark.parametrize(
    ("address", "location"),
    [
        ("https://example.com/?a=1&&b=2", "https://example.com/?a=1&&b=2&{campaign}"),
        ("https://example.com/?&a", "https://example.com/?&a&{campaign}"),
        ("https://example.com/?a=1&", "https://example.com/?a=1&{campaign}"),
        ("https://example.com/?a=1#top", "https://example.com/?a=1&{campaign}#top"),
        ("https://example.com/?", "https://example.com/?{campaign}"),
        ("https://example.com?#", "https://example.com?{campaign}#"),
        ("https://example.com/?utm_source=x&&b", "https://example.com/?&b&{campaign}"),
        ("https://example.com/?utm%5Fsource=x", "https://example.com/?{campaign}"),
        ("https://example.com/?a=%20+&b=ü", "https://example.com/?a=%20+&b=%C3%BC&{campaign}"),
        ("https://ü.example/é", "https://xn--tda.example/%C3%A9?{campaign}"),
    ],
)
def test_a_campaign_changes_nothing_but_its_own_parameters(address: str, location: str) -> None:
    expected = location.replace("{campaign}", "utm_source=a%26b")
    assert with_campaign(address, {"source": "a&b"}) == expected


def test_the_limit_holds_for_the_encoded_url() -> None:
    base = "https://example.com/"
    room = MAX_URL - len(base)
    assert accepted(base + "a" * room)
    assert accepted(base + "é" * (room // 6))
    assert why_refused(base + "é" * (room // 6 + 1)) == [
        "originalUrl: at most 2,048 characters when percent-encoded"
    ]
    assert not accepted(base + "|" * (room // 3 + 1))
    assert not accepted(base + "a" * (room + 1))


_valid = st.text("ABYZabyz019-._~!$&'()*+,;=:@/?", max_size=40)
_escapes = st.sampled_from(["%20", "%C3%A9", "%e9", ""])


@given(path=_valid, escape=_escapes, fragment=st.none() | _valid)
@example(path="/?", escape="", fragment="")
def test_a_valid_uri_is_unchanged(path: str, escape: str, fragment: str | None) -> None:
    address = f"https://example.com/{path}{escape}" + ("" if fragment is None else f"#{fragment}")
    [link] = parse_new_links({"originalUrl": address})
    assert with_campaign(link.originalUrl, {}) == address


_anything = st.text(max_size=30) | st.text('%|\\^[]{}<>"`#?&=/aé\u200c👨 ', max_size=30)
_hosts = st.sampled_from(["example.com", "bücher.example", "[::1]:8000", "127.1", "faß.de:443"])


@given(host=_hosts, rest=_anything, utm=st.none() | st.text(min_size=1, max_size=20))
@example(host="example.com", rest="/a|b", utm=None)
def test_every_accepted_url_is_sent_as_a_uri(host: str, rest: str, utm: str | None) -> None:
    address = f"https://{host}/{rest}"
    campaign = {"source": utm} if utm is not None and not _has_surrogates(utm) else {}
    if not accepted(address):
        return
    location = with_campaign(address, campaign)
    assert URI.fullmatch(location)
    assert location.isascii()


_authorities = st.text("abxn-1270.[]:%@\\é。ß\u200dｌ\u0661_`!", max_size=20) | st.text(max_size=15)


@given(authority=_authorities, rest=_anything)
@example(authority="ü`.example", rest="")
@example(authority="ü!", rest="?")
def test_every_accepted_host_is_sent_as_a_uri(authority: str, rest: str) -> None:
    address = f"http://{authority}/{rest}"
    if accepted(address):
        assert URI.fullmatch(with_campaign(address, {}))


def _has_surrogates(text: str) -> bool:
    return any(0xD800 <= ord(character) <= 0xDFFF for character in text)


@given(st.text(max_size=40))
@example("https://ü..example/é")
@example("https://\u0661.example/")
@example("https://[é]/")
@example("https://a@ü/\ud800")
def test_older_stored_urls_are_sent_as_ascii(stored: str) -> None:
    assert with_campaign(stored, {}).isascii()
    assert re.fullmatch(rf"(?:[^%]|{_PCT})*", with_campaign(f"https://{stored}", {}))


def test_a_redirect_loads_the_host_parser_only_for_an_international_host() -> None:
    program = """
import sys
from functions.handlers import redirect
from functions.domain.redirect_target import with_campaign
assert with_campaign("https://example.com/é|", {}) == "https://example.com/%C3%A9%7C"
assert not {"pydantic_core", "functions.domain.iris"} & sys.modules.keys()
assert with_campaign("https://ü.example/", {}) == "https://xn--tda.example/"
assert "pydantic_core" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@given(st.text(st.sampled_from("aZ09-._~:/?#[]@!$&'()*+,;=%2F <>\\^`{|}é"), max_size=20))
def test_a_uri_without_escapes_is_what_needs_no_encoding(text: str) -> None:
    """The short way of `to_uri` changes nothing that the long way would."""
    address = f"https://host.test/{text}"
    plain = set(text) <= set("aZ09-._~:/?@!$&'()*+,;=2F")

    assert (not address.strip(uris._PLAIN)) is plain
    if plain:
        assert to_uri(address) == address
        assert quote(address, safe="/:?@!$&'()*+,;=") == address


@given(st.text(max_size=20))
def test_campaign_values_are_encoded(value: str) -> None:
    encoded = value.encode("utf-8", errors="replace").decode()
    target = with_campaign("https://host.test/", {"source": encoded})

    query = f"utm_source={quote(encoded, safe='')}"
    assert target == f"https://host.test/?{query}"
