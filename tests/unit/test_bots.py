"""Detection of bots, with real user agents and headers of people and bots."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from functions.domain import bots
from functions.domain.bots import is_program
from functions.domain.prefetch import is_prefetch
from functions.domain.user_agent import describe

#: It has no types.
crawleruseragents = import_module("crawleruseragents")

DATA = Path(__file__).parent.parent / "data"


def corpus(name: str) -> list[str]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_no_browser_of_the_corpus_is_a_bot() -> None:
    browsers = corpus("browsers.txt")
    assert len(set(browsers)) == len(browsers) > 150
    assert [agent for agent in browsers if is_program(agent)] == []


def test_every_bot_of_the_corpus_is_recognised() -> None:
    programs = corpus("programs.txt")
    assert len(set(programs)) == len(programs) > 150
    assert [agent for agent in programs if not is_program(agent)] == []


def test_the_crawler_list_is_matched_as_its_own_package_matches_it() -> None:
    known = [
        agent for each in crawleruseragents.CRAWLER_USER_AGENTS_DATA for agent in each["instances"]
    ]
    assert len(known) > 1_000
    texts, patterns = bots._crawlers()
    assert len(texts) > 10 * patterns.pattern.count("|")
    for agent in {*known, *corpus("browsers.txt"), *corpus("programs.txt"), *texts}:
        found = any(text in agent for text in texts) or patterns.search(agent) is not None
        assert found is crawleruseragents.is_crawler(agent), agent


def test_a_request_without_a_user_agent_is_a_bot() -> None:
    assert describe("").is_bot


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"sec-purpose": "prefetch;anonymous-client-ip"},
        {"sec-purpose": "Prefetch; Prerender"},
        {"purpose": "prefetch"},
        {"purpose": "preview"},
        {"x-purpose": "preview"},
        {"x-purpose": " preview , instant"},
        {"x-moz": "prefetch"},
    ],
)
def test_a_prefetch_is_not_a_visit(headers: dict[str, str]) -> None:
    assert is_prefetch(headers)


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-purpose": ""}, {"purpose": "visit"}, {"referer": "https://e.com/prefetch"}],
)
def test_other_requests_are_visits(headers: dict[str, str]) -> None:
    assert not is_prefetch(headers)


MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("agent", "platform", "device"),
    [
        (MAC + "FxiOS/128.0 Safari/605.1.15", "iOS", "tablet"),
        (MAC + "CriOS/126 Version/11.1.1 Safari/605.1.15", "iOS", "tablet"),
        (MAC + "Version/17.0 EdgiOS/125.0.2535.96 Safari/605.1.15", "iOS", "tablet"),
        (MAC + "Version/17.4 Safari/605.1.15 OPT/4.6.0", "iOS", "tablet"),
        (MAC + "GSA/320.0.643320617 Safari/604.1", "iOS", "tablet"),
        # The web view of an app on an iPad.
        (MAC + "Mobile/15E148", "iOS", "tablet"),
        (MAC + "Mobile/21F90 [FBAN/FBIOS;FBDV/iPhone14,5;FBSN/iOS]", "iOS", "mobile"),
        (MAC + "Version/18.5 Safari/605.1.15", "macOS", "desktop"),
        (MAC + "Chrome/137.0.0.0 Safari/537.36", "macOS", "desktop"),
        (MAC + "Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0", "macOS", "desktop"),
        (LINUX + "SamsungBrowser/25.0 Chrome/121.0.0.0 Safari/537.36", "Android", "tablet"),
        (LINUX + "Version/4.0 Chrome/126.0.6478.71 Mobile Safari/537.36", "Android", "mobile"),
        (LINUX + "Chrome/121.0.0.0 Safari/537.36 EdgA/121.0.0.0", "Android", "tablet"),
        (LINUX + "Chrome/121.0.0.0 Safari/537.36", "Linux", "desktop"),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "Linux",
            "desktop",
        ),
    ],
)
def test_a_phone_or_tablet_in_desktop_mode_is_recognised_by_its_marks(
    agent: str, platform: str, device: str
) -> None:
    assert describe(agent) == describe(agent).__class__(platform, device, is_bot=False)
