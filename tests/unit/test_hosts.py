"""Hosts of destinations, with the data of the web-platform-tests and DNS rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import Url

from functions.domain.errors import InvalidRequest
from functions.domain.hosts import canonical_host, checked_host
from functions.schemas.links import parse_new_links

DATA = Path(__file__).parents[1] / "data"

#: What the URL Standard of 2026 accepts and the parser refuses: ASCII labels that begin with xn--
#: and are not valid Punycode, and characters whose mapping newer Unicode versions changed. Refusing
#: them is wanted: no name of these forms can be registered.
REFUSED_URLS = {
    "http://a.b.c.xn--pokxncvks",
    "http://10.0.0.xn--pokxncvks",
    "http://a.b.c.XN--pokxncvks",
    "http://a.b.c.Xn--pokxncvks",
    "http://10.0.0.XN--pokxncvks",
    "http://10.0.0.xN--pokxncvks",
    "https://xn--/",
}
REFUSED_HOSTS = {
    "xn--a",
    "xn--a.xn--zca",
    "xn--ls8h=",
    "xn--1ug.example",
    "xn--a-yoc",
    "xn--zn7c.com",
    "xn--0.com",
    "look\u180eout.net",
    "look\u206bout.net",
    "\u04c0.com",
    "\u2183.com",
}


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return found


def fault_of(address: str) -> str | None:
    try:
        parse_new_links({"originalUrl": address})
    except InvalidRequest as refusal:
        return str(refusal.members["details"][0]).removeprefix("originalUrl: ")
    return None


def test_the_parser_passes_the_web_platform_tests_of_urls() -> None:
    deviations = {}
    for case in cases("wpt-urltestdata-http.json"):
        try:
            parsed = str(Url(case["input"]))
        except ValueError:
            parsed = None
        if parsed != case.get("href"):
            deviations[case["input"]] = parsed
    assert deviations == dict.fromkeys(REFUSED_URLS)


def test_the_parser_passes_the_web_platform_tests_of_hosts() -> None:
    deviations = {}
    for case in cases("wpt-toascii.json"):
        try:
            parsed = canonical_host(case["input"])
        except ValueError:
            parsed = None
        if parsed != case["output"]:
            deviations[case["input"]] = parsed
    assert deviations == dict.fromkeys(REFUSED_HOSTS)


def test_no_destination_is_accepted_that_the_web_platform_tests_call_invalid() -> None:
    invalid = [case["input"] for case in cases("wpt-urltestdata-http.json") if case.get("failure")]
    assert len(invalid) == 147
    assert [address for address in invalid if fault_of(address) is None] == []


def test_valid_urls_are_refused_for_stated_reasons_only() -> None:
    """Beyond the URL Standard: credentials, white space, RFC 3987's characters, and hosts that
    DNS cannot have or that lead elsewhere than they say."""
    valid = [case for case in cases("wpt-urltestdata-http.json") if not case.get("failure")]
    refused: dict[str, int] = {}
    for case in valid:
        if fault := fault_of(case["input"]):
            refused[fault] = refused.get(fault, 0) + 1
    assert len(valid) == 131
    assert refused == {
        "a URL must not carry credentials": 16,
        "a URL needs a host": 13,
        "a URL has no spaces or control characters": 12,
        "browsers cannot open this host": len(REFUSED_URLS),
        "a URL has no characters that RFC 3987 excludes": 4,
        "the parts of a host have 1 to 63 characters, together at most 253": 3,
        "a host is letters, digits, dots and hyphens, or its xn-- spelling": 3,
        "a URL has no bidirectional formatting characters": 1,
        # A backslash in the authority.
        "not a URL": 1,
    }


@pytest.mark.parametrize(
    "host",
    [
        "256.1.1.1",
        "1.2.3.4.5",
        "1.2.3.08",
        "4294967296",
        "0x100000000",
        "example.1",
        "xn--a",
        "xn--",
        "a.xn--abc",
        "a..example",
        ".example",
        "example..",
        f"{'a' * 64}.example",
        f"{'ü' * 60}.example",
        ".".join(["a" * 49] * 5) + ".abcd",
        "\u0661.example",
        "👨\u200d👩\u200d👧.example",
        "[::1",
        "[1::2::3]",
        "[::ffff:256.0.0.1]",
        "a!b.example",
        "ex%61mple.com",
        "a\u00adb.example",
        "ü`.example",
        "ü!.example",
        "１２７.0.0.1",
    ],
)
def test_an_unreachable_or_misleading_host_is_refused(host: str) -> None:
    assert fault_of(f"https://{host}/") is not None


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com."),
        (f"{'a' * 63}.example", f"{'a' * 63}.example"),
        (".".join(["a" * 49] * 5) + ".abc", ".".join(["a" * 49] * 5) + ".abc"),
        ("a--b.-c-.example_", "a--b.-c-.example_"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7F.1", "127.0.0.1"),
        ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        ("i❤.ws", "xn--i-7iq.ws"),
        ("STRASSE.de", "strasse.de"),
        ("straße.de", "xn--strae-oqa.de"),
        ("ΣΊΣΥΦΟΣ.gr", "xn--kxa6akbbkh.gr"),
    ],
)
def test_a_host_is_what_browsers_connect_to(host: str, canonical: str) -> None:
    assert checked_host(host) == canonical


@pytest.mark.parametrize(
    ("port", "fault"),
    [
        (":", None),
        (":65535", None),
        (":00000080", None),
        (":65536", "a port is a number up to 65535"),
        (f":{'9' * 30}", "a port is a number up to 65535"),
        (":8a", "not a URL"),
        (":-1", "not a URL"),
        (":\u0661", "not a URL"),
        (":1:2", "not a URL"),
    ],
)
def test_ports_are_numbers(port: str, fault: str | None) -> None:
    assert fault_of(f"https://example.com{port}/") == fault
