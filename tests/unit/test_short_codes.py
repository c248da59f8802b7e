"""Reserved short codes."""

from __future__ import annotations

import pytest

from functions.domain.errors import InvalidRequest
from functions.domain.idempotency import IdempotencyKey
from functions.domain.short_codes import SHORT_CODE, is_reserved
from functions.repositories.create_runs import CreateRun, CreateRuns
from functions.schemas.links import parse_new_links
from functions.services import link_runs
from functions.services.link_runs import KeyedRun, UnkeyedRun

RESERVED = [
    *("undefined", "null", "nan", "true", "false", "none", "object-object"),
    *("favicon", "favicon-ico", "favicon_ico", "favicon-png", "FAVICON-ICO"),
    *("robots-txt", "robots_txt", "sitemap-xml", "ads-txt", "site-webmanifest", "index-html"),
    *("apple-app-site-association", "apple-touch-icon", "assetlinks", "assetlinks-json"),
    *(
        "ping",
        "sping",
        "PING",
        "console",
        "well-known",
        "well_known",
        "-well-known",
        "wp-login-php",
    ),
    *("Undefined", "NULL", "_null_", "bulk_delete", "swagger", "openapi-json"),
]


@pytest.mark.parametrize("code", RESERVED)
def test_reserved_codes_are_refused(code: str) -> None:
    assert is_reserved(code)
    for name in ("shortCode", "customCode"):
        with pytest.raises(InvalidRequest) as refusal:
            parse_new_links({"originalUrl": "https://example.com/", name: code})
        fault = "this code is reserved" if SHORT_CODE.fullmatch(code) else "4 to 30 letters"
        assert refusal.value.members["details"][0].startswith(f"{name}: {fault}")


@pytest.mark.parametrize(
    "code",
    ["ping-pong", "nullable", "my-robots", "truest", "favicons", "index-cards", "txt-", "----"],
)
def test_codes_that_contain_a_reserved_word_are_free(code: str) -> None:
    assert not is_reserved(code)
    [link] = parse_new_links({"originalUrl": "https://example.com/", "shortCode": code})
    assert link.shortCode == code


def test_generated_codes_are_never_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["manifest", "Manifest", "k7Gp2mXq"])
    monkeypatch.setattr(link_runs, "new_short_code", lambda: next(drawn))
    assert UnkeyedRun("tester").code(0) == "k7Gp2mXq"


def test_codes_derived_from_a_key_are_never_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(draws: dict[int, int]) -> KeyedRun:
        made = CreateRun("run", "2026-01-01T00:00:00.000Z", "tester", draws)
        return KeyedRun(made, CreateRuns(None, "none", "ws", IdempotencyKey("k", "hash")))

    first, second, other = run({}).code(0), run({0: 1}).code(0), run({}).code(1)
    assert len({first, second, other}) == 3
    assert all(SHORT_CODE.fullmatch(code) and len(code) == 8 for code in (first, second, other))
    monkeypatch.setattr(link_runs, "is_reserved", lambda code: code == first)
    # Reserved codes are generated again.
    assert run({}).code(0) == second
