"""The headers that a click keeps: parsed by their standards, bounded, clean."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.click_fields import (
    COUNTRIES,
    MAX_REFERRER,
    address_of,
    clean_text,
    place_of,
    referrer_of,
)
from functions.domain.time_zones import ZONES


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://example.com/path?token=1#part", "https://example.com/path"),
        ("https://user:password@Example.COM/p", "https://example.com/p"),
        ("http://example.com", "http://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
        ("https://example.com/é b", "https://example.com/%C3%A9%20b"),
        ("https://example.com/%C3%A9", "https://example.com/%C3%A9"),
        ("android-app://com.google.android.gm/", "android-app://com.google.android.gm/"),
        (
            "android-app://com.google.android.gm/https/x?token=1",
            "android-app://com.google.android.gm/",
        ),
        ("android-app://user@host/", None),
        ("=cmd|calc!A1", None),
        ("javascript:alert(1)", None),
        ("https://exa mple.com/", None),
        ("https://exämple.com/", None),
        ("https://a.example:99999/", None),
        ("https://[::1/", None),
        ("https://", None),
        ("about:blank", None),
        ("", None),
        (None, None),
    ],
)
def test_a_referrer_is_origin_and_path(value: str | None, expected: str | None) -> None:
    assert referrer_of(value) == expected


def test_a_referrer_is_bounded() -> None:
    kept = referrer_of("https://example.com/" + "é" * 60_000)
    assert kept is not None
    assert len(kept.encode()) == MAX_REFERRER


@pytest.mark.parametrize(
    ("value", "maximum", "expected"),
    [
        ("plain", 10, "plain"),
        ("é" * 10, 5, "éé"),
        ("=1+1", 10, "1+1"),
        ("+-@=x", 10, "x"),
        ("\t=x", 10, "x"),
        ("a\x00\r\nb\x7f\x85\u2028\u202ec", 20, "abc"),
        ("\ud800a", 20, "a"),
        ("👨‍👩‍👧", 40, "👨‍👩‍👧"),
        ("===", 10, None),
        ("", 10, None),
        (None, 10, None),
    ],
)
def test_text_is_clean_and_bounded(value: str | None, maximum: int, expected: str | None) -> None:
    assert clean_text(value, maximum) == expected


@pytest.mark.parametrize(
    ("viewer", "expected"),
    [
        ("198.51.100.7:1234", "198.51.100.7"),
        ("2001:DB8:0:0::1:52301", "2001:db8::1"),
        ("[2001:db8::1]:52301", "2001:db8::1"),
        ("::ffff:198.51.100.7:1234", "198.51.100.7"),
        ("fe80::1%=cmd|calc!A1:80", "192.0.2.1"),
        ("256.1.1.1:80", "192.0.2.1"),
        ("198.51.100.7", "192.0.2.1"),
        ("198.51.100.7:port", "192.0.2.1"),
        ("=cmd|calc!A1:80", "192.0.2.1"),
        ("", "192.0.2.1"),
    ],
)
def test_an_invalid_address_falls_back_to_the_gateways(viewer: str, expected: str) -> None:
    headers = {"cloudfront-viewer-address": viewer}
    assert address_of(headers, "192.0.2.1", trusted=True) == expected
    assert address_of(headers, "192.0.2.1", trusted=False) == "192.0.2.1"


@pytest.mark.parametrize(
    "source_ip",
    [
        None,
        "",
        "test-invoke-source-ip",
        "192.0.2",
        "192.0.2.01",
        "192.0.2.1 ",
        "192.0.2.1\0",
        "192.0.2.\u0661",
        "192.0.2.\ud800",
        "0x7f.1",
    ],
)
def test_a_missing_or_invalid_address_is_none(source_ip: str | None) -> None:
    assert address_of({}, source_ip, trusted=False) is None


@given(
    st.ip_addresses().map(str)
    | st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}")
    | st.lists(st.text("0123456789\u0661 x", max_size=4), min_size=3, max_size=5).map(".".join)
)
def test_an_address_is_what_the_standard_library_makes_of_it(text: str) -> None:
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        assert address_of({}, text, trusted=False) is None
    else:
        expected = getattr(parsed, "ipv4_mapped", None) or parsed
        assert address_of({}, text, trusted=False) == str(expected)


@given(st.text(max_size=30), st.integers(1, 20))
def test_no_unsafe_character_is_left(text: str, maximum: int) -> None:
    unsafe = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
    expected = unsafe.sub("", text[: 2 * maximum]).lstrip("=+-@ \t").rstrip()
    expected = expected.encode()[:maximum].decode(errors="ignore")
    assert clean_text(text, maximum) == (expected or None)


@pytest.mark.parametrize(
    ("country", "subdivision", "expected"),
    [
        ("EG", "C", ("EG", "EG-C")),
        ("US", "CA", ("US", "US-CA")),
        ("GB", "ENG", ("GB", "GB-ENG")),
        ("XK", "", ("XK", None)),
        ("EG", "Cairo", ("EG", None)),
        ("EG", "c", ("EG", None)),
        ("eg", "C", (None, None)),
        ("XX", "C", (None, None)),
        ("ZZ", "01", (None, None)),
        ("", "C", (None, None)),
    ],
)
def test_country_and_region_are_iso_3166(
    country: str, subdivision: str, expected: tuple[str | None, str | None]
) -> None:
    headers = {
        "cloudfront-viewer-country": country,
        "cloudfront-viewer-country-region": subdivision,
    }
    place = place_of(headers, trusted=True)
    assert (place["countryCode"], place["region"]) == expected
    assert set(place_of(headers, trusted=False).values()) == {None}


def test_all_countries_are_known() -> None:
    # ISO 3166-1 has 249 officially assigned codes; Kosovo's is user-assigned.
    assert len(COUNTRIES) == 250


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Africa/Cairo", "Africa/Cairo"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Etc/GMT+1", "Etc/GMT+1"),
        ("Mars/Olympus", None),
        ("africa/cairo", None),
        ("../etc/passwd", None),
    ],
)
def test_a_time_zone_is_an_iana_name(zone: str, expected: str | None) -> None:
    assert place_of({"cloudfront-viewer-time-zone": zone}, trusted=True)["timezone"] == expected


def test_the_list_of_zones_has_every_zone_of_this_machine() -> None:
    known = zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"}
    if not known:
        assert importlib.util.find_spec("tzdata") is None
    assert known <= ZONES
    assert len(ZONES) > 590
