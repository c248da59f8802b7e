"""The web console as it is packaged and served: its files, headers, budget and licences."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions import config
from functions.api import console
from functions.handlers import pages
from infra.console import (
    LICENCES,
    SOURCE,
    ConsoleError,
    _keyed,
    console_files,
    top_level_names,
)
from tests.support.api_gateway import Reply, send

#: Bytes of all that the console may load, each file as it is sent with gzip; both languages count.
BUDGET = 45_000


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return console_files()


@pytest.fixture(autouse=True)
def _served(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """As the archive of the functions has them."""
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(console, "DIRECTORY", tmp_path)
    console._manifest.cache_clear()
    console._files.cache_clear()
    yield
    console._manifest.cache_clear()
    console._files.cache_clear()


def get(resource: str, **more: Any) -> Reply:
    return send(pages.handler, f"GET {resource}", **more)


def asset(name: str, **more: Any) -> Reply:
    return get("/console/{asset}", path={"asset": name}, **more)


def addresses(page: Reply) -> list[str]:
    return re.findall(r'(?:href|src|data-\w+)="([^"]+)"', page.body.decode())


def test_the_console_is_within_its_budget(files: dict[str, bytes], report_figure: Any) -> None:
    sizes = {
        name: len(content)
        for name, content in files.items()
        if name not in {f"{LICENCES}.gz", "manifest.json"}
    }
    report_figure(f"console: {sum(sizes.values()):,} bytes with gzip of {BUDGET:,}")
    assert sum(sizes.values()) <= BUDGET, sizes


def test_the_page_is_strict_about_what_it_loads() -> None:
    page = get("/console")

    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "public, no-cache"
    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_page_may_call_where_users_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGN_IN_URL", "https://unlink.auth.eu-central-1.amazoncognito.com")
    monkeypatch.setenv("SIGN_IN_CLIENT_ID", "client-1")
    config.optional_setting.cache_clear()
    page = get("/console")
    config.optional_setting.cache_clear()

    assert (
        "connect-src 'self' https://unlink.auth.eu-central-1.amazoncognito.com; "
        in page.headers["Content-Security-Policy"]
    )
    text = page.body.decode()
    assert 'data-sign-in="https://unlink.auth.eu-central-1.amazoncognito.com"' in text
    assert 'data-client="client-1"' in text


def test_the_page_has_no_inline_script_or_style() -> None:
    text = get("/console").body.decode()

    assert not re.search(r"<style|\sstyle=|\son\w+=", text)
    assert re.findall(r"<script[^>]*>([^<]*)</script>", text) == [""]


def test_browsers_may_cache_every_file_of_the_page_permanently() -> None:
    found = [each for each in addresses(get("/console")) if each.startswith("console/")]

    assert len(found) == 4
    for address in found:
        name, _, release = address.removeprefix("console/").partition("?v=")
        reply = asset(name, query={"v": release})
        assert reply.status == 200
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        again = asset(name, query={"v": release}, headers={"If-None-Match": reply.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")
        # Another release's file is different, so it must not be cached under that address.
        other = asset(name, query={"v": "000000000000"})
        assert other.headers["Cache-Control"] == "public, no-cache"


def test_addresses_are_relative_whether_the_page_has_a_slash_at_its_end_or_not() -> None:
    def with_slash(event: dict[str, Any], context: Any) -> dict[str, Any]:
        event["requestContext"]["path"] += "/"
        return pages.handler(event, context)

    plain = addresses(get("/console"))
    slashed = addresses(send(with_slash, "GET /console"))

    assert not [each for each in plain if each.startswith("/") or "//" in each]
    assert slashed == [f"../{each}" for each in plain]


def test_languages_are_loaded_from_the_same_release(files: dict[str, bytes]) -> None:
    release = json.loads(files["manifest.json"])["release"]
    loaded = re.findall(r'import\("\./([^"]+)"\)', gzip.decompress(files["console.js.gz"]).decode())

    assert sorted(loaded) == [f"ar.js?v={release}", f"en.js?v={release}"]


def test_languages_are_sent_without_the_keys_that_they_share(files: dict[str, bytes]) -> None:
    script = gzip.decompress(files["console.js.gz"]).decode()
    keys = re.findall(r'^const \$\$keys="([^"]*)"', script)[0].split(" ")

    assert keys == list(texts("en")) == list(texts("ar"))
    for language in ("en", "ar"):
        sent = gzip.decompress(files[f"{language}.js.gz"]).decode()
        assert sent == ("export const messages=[" + ",\n".join(texts(language).values()) + "];\n")


def test_no_name_is_declared_twice_in_the_script(files: dict[str, bytes]) -> None:
    script = gzip.decompress(files["console.js.gz"]).decode()
    declared = re.findall(r"(?:^|;)const (\$[\w$]+)=", script, re.MULTILINE)
    declared += [name for path in SOURCE.glob("*.js") for name in top_level_names(path.name)]

    assert {"$$keys", "$$keyed", "$preact", "LinksView"} <= set(declared)
    assert [name for name, times in Counter(declared).items() if times > 1] == ["messages"]


def test_languages_with_other_keys_are_refused() -> None:
    with pytest.raises(ConsoleError, match="the same keys in one order"):
        _keyed([{"a": '"A"', "b": '"B"'}, {"b": '"B"', "a": '"A"'}])


@pytest.mark.parametrize(
    "name", ["", "manifest.json", "manifest", "tsconfig.json", "../console.py", "console.js.gz"]
)
def test_other_files_are_not_served(name: str) -> None:
    assert asset(name).status == 404


def test_scripts_and_styles_are_sent_with_gzip() -> None:
    plain, packed = (
        asset("console.js", headers=headers) for headers in ({}, {"Accept-Encoding": "gzip"})
    )
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


def test_the_licences_of_what_is_vendored_are_served(files: dict[str, bytes]) -> None:
    text = asset(LICENCES).body.decode()

    assert re.search(r"^preact 11\.\d+\.\d+$", text, re.MULTILINE)
    assert re.search(r"^htm 3\.\d+\.\d+$", text, re.MULTILINE)
    assert "The MIT License (MIT)" in text
    assert "Apache License" in text


def test_nothing_of_the_console_is_third_party_in_the_repository() -> None:
    names = {path.name for path in SOURCE.iterdir()}

    assert not {"preact.js", "htm.js", "preact-hooks.js"} & names
    assert all((SOURCE / name).stat().st_size < 40_000 for name in names)


def test_joined_modules_have_no_import_or_export_left(files: dict[str, bytes]) -> None:
    script = gzip.decompress(files["console.js.gz"]).decode()

    assert not re.search(r"^(?:import|export)\b", script, re.MULTILINE)
    assert "/**" not in script


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"main.js": 'import { a } from "./none.js";\n'}, "none.js"),
        ({"main.js": 'import { a } from "lodash";\n'}, "lodash"),
        (
            {
                "main.js": 'import { a } from "./a.js";\n',
                "a.js": 'import { b } from "./b.js";\nexport const a = b;\n',
                "b.js": 'import { a } from "./a.js";\nexport const b = a;\n',
            },
            r"import each other: \./main\.js -> \./a\.js -> \./b\.js -> \./a\.js",
        ),
        ({"main.js": 'export * from "./a.js";\n'}, "not supported"),
        (
            {
                "main.js": 'import { a as c } from "./a.js";\n',
                "a.js": "export const a = 1;\n",
            },
            "renamed",
        ),
        (
            {
                "main.js": 'import { a } from "./a.js";\nfunction cells() {}\n',
                "a.js": "export const a = 1;\nconst cells = [a];\n",
            },
            r"\./a\.js and \./main\.js both declare 'cells'",
        ),
    ],
)
def test_modules_that_cannot_be_joined_are_refused(
    modules: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in modules.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr("infra.console.SOURCE", tmp_path)

    with pytest.raises(ConsoleError, match=message):
        console_files()


def test_a_package_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.console.NODE_MODULES", tmp_path)
    with pytest.raises(ConsoleError, match="is not installed"):
        console_files()
    for package, file in (("preact", "dist/preact.mjs"), ("htm", "dist/htm.mjs")):
        path = tmp_path / package / file
        path.parent.mkdir(parents=True)
        path.write_text("export const h = 1;\n")
        (tmp_path / package / "package.json").write_text('{"version": "0.0.1"}')
    with pytest.raises(ConsoleError, match=r"0\.0\.1, and package\.json pins"):
        console_files()


# -- the sources ------------------------------------------------------------------------------

_PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border|inset)-)?(?:left|right)\s*:"
    r"|text-align\s*:\s*(?:left|right)|float\s*:|(?<![\w-])(?:top|bottom|width|height)\s*:"
)


def test_styles_use_logical_properties_only() -> None:
    lines = (SOURCE / "console.css").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if _PHYSICAL.search(line)] == []


def texts(language: str) -> dict[str, str]:
    """The messages of a language: the source text of each value by its key."""
    source = (SOURCE / f"{language}.js").read_text(encoding="utf-8")
    return dict(re.findall(r'^  "([\w.]+)": (.+),$', source, re.MULTILINE))


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    english, arabic = texts("en"), texts("ar")

    assert arabic.keys() == english.keys()
    for key, text in english.items():
        values = set(re.findall(r"\{(\w+)\}", text)) - {"n"}
        assert values == set(re.findall(r"\{(\w+)\}", arabic[key])) - {"n"}, key


def test_arabic_has_its_own_plural_forms() -> None:
    for key, text in texts("ar").items():
        if text.startswith("{"):
            forms = set(re.findall(r"\b(zero|one|two|few|many|other):", text))
            assert forms >= {"one", "two", "few", "many", "other"}, key


def test_every_text_that_is_used_exists() -> None:
    known = texts("en").keys()
    for path in SOURCE.glob("*.js"):
        source = path.read_text(encoding="utf-8")
        for key in re.findall(r'\bt\(\s*"([\w.]+)"', source):
            assert key in known, f"{path.name}: {key}"
        for prefix in re.findall(r"\bt\(\s*`([\w.]+\.)\$\{", source):
            assert any(key.startswith(prefix) for key in known), f"{path.name}: {prefix}"


def test_nothing_is_written_as_html_and_no_secret_is_stored() -> None:
    for path in SOURCE.glob("*.js"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", source)
        assert not re.search(r"\beval\(|new Function|javascript:", source)
        if path.name != "store.js":
            assert "localStorage" not in source, path.name
