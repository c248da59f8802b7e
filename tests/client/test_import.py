"""`unlinkctl import` on the files of each product, and what an export brings back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from functions.domain.short_codes import RESERVED_CODES, is_reserved
from tests.client.conftest import Run
from tests.client.fake_service import Cut, FakeUnlink, Reply, Request
from tests.client.support import linkforty
from unlink_client.cli.imports import reserved
from unlink_client.cli.link_files import join_tags, neutralise, restore, split_tags

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def statuses(out: str) -> list[tuple[str, str | None]]:
    found = [json.loads(line) for line in out.splitlines()]
    return [(each["status"], each["shortCode"]) for each in found]


def created(service: FakeUnlink) -> dict[str, dict[str, Any]]:
    return {link["shortCode"]: link for link in service.links.values()}


@pytest.mark.parametrize(
    ("product", "file", "expected"),
    [
        (
            "yourls",
            "yourls.csv",
            [
                ("code not allowed", None),
                ("created", "summer"),
                ("URL refused", None),
                ("created", "summer-2"),
            ],
        ),
        ("yourls", "yourls.json", [("code not allowed", None), ("created", "autumn")]),
        (
            "shlink",
            "shlink.csv",
            [("created", "docs-all"), ("created", "AbC12"), ("code not allowed", None)],
        ),
        ("shlink", "shlink.json", [("created", "launch"), ("not importable", None)]),
        (
            "kutt",
            "kutt.json",
            [
                ("created", "spring"),
                ("not importable", None),
                ("created", "banned"),
                ("code not allowed", None),
            ],
        ),
        ("dub", "dub.csv", [("created", "github"), ("created", "pricing")]),
        ("dub", "dub.json", [("created", "app-store"), ("not importable", None)]),
        ("bitly", "bitly.json", [("created", "easter-sale"), ("created", "4QrStUv")]),
        (
            "bitly",
            "bitly.csv",
            [("created", "flyer-2024"), ("not importable", None), ("created", "7CdEfGh")],
        ),
    ],
)
def test_each_row_of_each_product_becomes_what_it_should(
    service: FakeUnlink,
    unlinkctl: Run,
    product: str,
    file: str,
    expected: list[tuple[str, str | None]],
) -> None:
    ran = unlinkctl("import", product, str(DATA / file), "-o", "ndjson")
    assert statuses(ran.out) == expected, ran.err
    rejected = any(status != "created" for status, _ in expected)
    assert ran.code == (4 if rejected else 0)
    assert Path("rejects.csv").exists() is rejected


def test_the_fields_of_other_products_are_kept(service: FakeUnlink, unlinkctl: Run) -> None:
    for product, file in (
        ("yourls", "yourls.csv"),
        ("shlink", "shlink.json"),
        ("shlink", "shlink.csv"),
        ("kutt", "kutt.json"),
        ("dub", "dub.json"),
        ("dub", "dub.csv"),
        ("bitly", "bitly.json"),
        ("bitly", "bitly.csv"),
    ):
        unlinkctl("import", product, str(DATA / file), "--tag", "moved")
    links = created(service)

    def shown(code: str, *names: str) -> list[Any]:
        return [links[code].get(name) for name in names]

    assert shown("summer", "originalUrl", "title", "externalId") == [
        "https://example.com/summer?a=1&b=2",
        'Summer "sale"',
        "yourls:summer",
    ]
    assert shown("summer-2", "title") == [None]
    assert links["docs-all"]["tags"][:3] == ["team", "docs", "moved"]
    assert shown("launch", "expiresAt", "forwardQuery") == ["2030-12-31T21:00:00.000Z", False]
    assert shown("spring", "description", "expiresAt") == [
        "The spring page",
        "2031-01-01T00:00:00.000Z",
    ]
    assert links["banned"]["isActive"] is False
    assert shown("app-store", "iosUrl", "androidUrl", "utmParameters", "externalId") == [
        "https://apps.example.com/ios",
        "https://apps.example.com/android",
        {"source": "poster", "campaign": "launch"},
        "crm-1",
    ]
    assert links["app-store"]["tags"][:2] == ["mobile", "moved"]
    assert links["github"]["tags"][:2] == ["open source", "code"]
    assert shown("easter-sale", "externalId", "title") == ["bitly:bit.ly/3xYzAbC", "Easter"]
    assert links["flyer-2024"]["title"] == "Flügel; groß"
    assert links["7CdEfGh"]["title"] == "Two\r\nlines"
    assert all(any(tag.startswith("import-") for tag in link["tags"]) for link in links.values())


def test_a_plan_creates_nothing_and_writes_the_rejects(service: FakeUnlink, unlinkctl: Run) -> None:
    service.add(1, shortCode="summer", originalUrl="https://example.com/other")
    ran = unlinkctl("import", "yourls", str(DATA / "yourls.csv"), "--plan")
    assert ran.code == 0
    assert [line.split(maxsplit=1) for line in ran.out.splitlines()[1:]] == [
        ["1", "would create"],
        ["1", "code taken"],
        ["1", "code not allowed"],
        ["1", "URL refused"],
    ]
    assert "row 1: code not allowed: ozh" in ran.err
    assert len(service.links) == 1
    rejects = list(csv.reader(Path("rejects.csv").read_text(encoding="utf-8").splitlines()))
    assert rejects[0] == ["row", "reason", "keyword", "url", "title", "timestamp", "ip", "clicks"]
    assert [row[0] for row in rejects[1:]] == ["1", "2", "3"]


def test_a_second_run_creates_nothing(service: FakeUnlink, unlinkctl: Run) -> None:
    for product, file in (("bitly", "bitly.json"), ("dub", "dub.csv"), ("shlink", "shlink.csv")):
        unlinkctl("import", product, str(DATA / file))
        before = len(service.links)
        ran = unlinkctl("import", product, str(DATA / file))
        assert len(service.links) == before
        assert "already there" in ran.out


def test_one_delete_by_tag_takes_an_import_back(service: FakeUnlink, unlinkctl: Run) -> None:
    service.add(1, shortCode="own-link")
    ran = unlinkctl("import", "dub", str(DATA / "dub.csv"))
    undo = next(line for line in ran.err.splitlines() if "unlinkctl delete --tag import-" in line)
    tag = undo.split("--tag ")[1].split()[0]
    assert unlinkctl("delete", "--tag", tag, "--erase", "--yes").code == 0
    assert list(created(service)) == ["own-link"]
    # The same file again: it is another import, not a repetition of the first.
    unlinkctl("import", "dub", str(DATA / "dub.csv"))
    assert len(service.links) == 3


def test_a_row_that_the_service_refuses_does_not_end_the_import(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    def before(request: Request) -> Reply | None:
        codes = [each.get("shortCode") for each in request.body] if request.body else []
        if "github" in codes:
            place = codes.index("github")
            detail = f"{place}.originalUrl: the host points to this service"
            return 400, linkforty(400, "Bad Request", "Invalid request", details=[detail]), {}
        if "pricing" in codes:
            body = linkforty(
                409, "Conflict", "Short code is already in use", takenCodes=["pricing"]
            )
            taken = [{"shortCode": "pricing", "takenBy": "trash", "deletionId": "d-1"}]
            return 409, body | {"taken": taken}, {}
        return None

    service.before = before
    ran = unlinkctl("import", "dub", str(DATA / "dub.csv"))
    assert ran.code == 4
    assert "URL refused: originalUrl: the host points to this service" in ran.err
    assert "code taken: pricing: it is in the trash, by the deletion d-1" in ran.err


def test_a_smaller_plan_makes_smaller_requests(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    path = tmp_path / "many.csv"
    rows = "".join(f"code-{n},https://example.com/{n}\n" for n in range(250))
    path.write_text("shortCode,originalUrl\n" + rows)
    service.before = lambda request: (
        (400, linkforty(400, "Bad Request", "At most 100 links in one request", limit=100), {})
        if request.method == "POST" and len(request.body) > 100
        else None
    )
    assert unlinkctl("import", "csv", str(path)).code == 0
    assert sorted(created(service)) == sorted(f"code-{n}" for n in range(250))
    sizes = [len(each.body) for each in service.requests if each.method == "POST"]
    assert sizes == [250, 100, 100, 50]


def test_an_interrupted_import_continues_and_creates_nothing_twice(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    path = tmp_path / "many.csv"
    rows = "".join(f"code-{n},https://example.com/{n}\n" for n in range(2_500))
    path.write_text("shortCode,originalUrl\n" + rows)
    posts: list[str] = []

    def after(request: Request) -> None:
        if request.method == "POST":
            posts.append(request.key)
            if len(posts) > 1:
                raise Cut

    service.after = after
    assert unlinkctl("import", "csv", str(path)).code == 75
    service.after = lambda _: None
    assert unlinkctl("import", "csv", str(path)).code == 0
    assert len(service.links) == 2_500
    assert len({tuple(link["tags"]) for link in service.links.values()}) == 1


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", 2, "is empty"),
        (b"  \n", 2, "is empty"),
        (b"\x00\x01\x02", 2, "is not text"),
        (b'"unclosed', 2, "cannot be read"),
        (b"{}", 4, "1 of 1 rows"),
        (b"[1, null]", 4, "2 of 2 rows"),
        (b"shortCode,title\nabcd,x\n", 4, "there is no URL"),
    ],
)
def test_what_is_no_file_of_links_is_refused(
    unlinkctl: Run, tmp_path: Path, content: bytes, code: int, message: str
) -> None:
    path = tmp_path / "links.csv"
    path.write_bytes(content)
    ran = unlinkctl("import", "csv", str(path))
    assert ran.code == code
    assert message in ran.err


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffshortCode;originalUrl;title\r\nabcd;https://example.com/1;Grüße\r\n".encode(),
        "shortCode;originalUrl;title\nabcd;https://example.com/1;Grüße\n".encode("cp1252"),
        "shortCode\toriginalUrl\ttitle\nabcd\thttps://example.com/1\tGrüße\n".encode("utf-16"),
        "sep=;\r\nShort Code;Original URL;Title\r\nabcd;https://example.com/1;Grüße\r\n".encode(),
        '{"shortCode": "abcd", "originalUrl": "https://example.com/1", "title": "Grüße"}'.encode(),
    ],
    ids=["bom", "cp1252", "utf-16", "sep", "ndjson"],
)
def test_a_table_may_be_written_in_several_ways(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "links.csv"
    path.write_bytes(content)
    assert unlinkctl("import", "csv", str(path)).code == 0
    assert created(service)["abcd"]["title"] == "Grüße"


def test_text_that_cannot_be_sent_is_rejected_with_its_row(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    rows = (
        r'{"originalUrl": "https://example.com/1", "title": "\ud800", "code": "one-one"}',
        r'{"originalUrl": "https://example.com/2", "expiresAt": "9999-12-31T23:59:59-14:00"}',
        "[" * 100_000,
        r'{"originalUrl": "https://example.com/3", "code": "three"}',
    )
    (tmp_path / "links.json").write_text("\n".join(rows))
    ran = unlinkctl("import", "csv", "links.json", "-o", "ndjson")
    assert ran.code == 4, ran.err
    assert statuses(ran.out) == [*[("not importable", None)] * 3, ("created", "three")]
    reasons = [json.loads(line)["reason"] for line in ran.out.splitlines()]
    assert reasons[0] == "half of a surrogate pair, which is not a character"
    assert reasons[1] == "the expiry is not a time: 9999-12-31T23:59:59-14:00"
    assert reasons[2] == "not JSON"


def test_broken_rows_are_rejected_one_by_one(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    path = tmp_path / "links.csv"
    path.write_text(
        "shortCode,originalUrl,title\n"
        "good-1,https://example.com/1,One\n"
        'bad-1,https://example.com/2,"never closed\n'
        "good-2,https://example.com/3,Three\n"
        "bad-2,https://example.com/4,a,b,c\n"
        "bad-3,https://example.com/5\n"
        'bad-4,https://example.com/6,5" disk\n'
        "good-1,https://example.com/7,Seven\n"
        '\ngood-3,https://example.com/8,"two\nlines"\n'
    )
    ran = unlinkctl("import", "csv", str(path), "-o", "ndjson")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [(each["row"], each["status"]) for each in found] == [
        (2, "created"),
        (3, "not importable"),
        (4, "created"),
        (5, "not importable"),
        (6, "not importable"),
        (7, "not importable"),
        (8, "duplicate"),
        (10, "created"),
    ]
    assert found[6]["reason"] == "duplicate of row 2"


@pytest.mark.parametrize(
    ("product", "row"),
    [
        ("shlink", {"longUrl": "https://example.com/", "shortUrl": "http://[x"}),
        ("bitly", {"long_url": "https://example.com/", "custom_bitlinks": 5}),
        ("csv", {"url": "https://example.com/", "tags": 5}),
        ("csv", {"url": "https://example.com/", "title": "a\u2028b"}),
    ],
)
def test_rows_with_unusual_values_and_no_code_are_imported_once(
    unlinkctl: Run, tmp_path: Path, product: str, row: dict[str, Any]
) -> None:
    text = "\n".join(json.dumps(row | {"n": n}, ensure_ascii=False) for n in range(2))
    (tmp_path / "links.json").write_text(text)
    ran = unlinkctl("import", product, "links.json", "-o", "ndjson")
    assert statuses(ran.out) == [("created", None)] * 2, ran.err
    ran = unlinkctl("import", product, "links.json")
    assert ran.out.split() == ["Rows", "2", "already", "there"]


def test_empty_lines_before_the_heading_are_skipped(unlinkctl: Run, tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text("\n\nurl,title\nhttps://example.com/,x\n")
    assert unlinkctl("import", "csv", "links.csv").code == 0


@pytest.mark.parametrize(
    ("product", "row", "rejected"),
    [
        ("shlink", {"longUrl": "https://example.com/", "meta": {"maxVisits": 1}}, True),
        ("csv", {"url": "https://example.com/", "code": "a", "tags": ["x|y", "z"]}, False),
        (
            "csv",
            {"url": "https://example.com/", "code": "a", "utmParameters": {"term": "t"}},
            False,
        ),
    ],
)
def test_the_file_of_rejects_has_every_value(
    service: FakeUnlink,
    unlinkctl: Run,
    tmp_path: Path,
    product: str,
    row: dict[str, Any],
    rejected: bool,
) -> None:
    (tmp_path / "links.json").write_text(json.dumps([row]))
    assert unlinkctl("import", product, "links.json").code == 4
    # What is wrong with it is mended, except that it must not be imported.
    path = tmp_path / "rejects.csv"
    path.write_text(path.read_text().replace(",a,", ",abcd,"))
    assert unlinkctl("import", product, "rejects.csv").code == (4 if rejected else 0)
    for link in service.links.values():
        assert set(row.get("tags", ())) < set(link["tags"])
        assert link["utmParameters"] == row.get("utmParameters")


def test_new_codes_are_generated_where_the_own_cannot_be_had(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    ran = unlinkctl("import", "kutt", str(DATA / "kutt.json"), "--new-codes", "-o", "ndjson")
    assert statuses(ran.out)[3] == ("created", None)
    assert any(link["externalId"] == "kutt:a" for link in service.links.values())


NASTY = {
    "title": '=HYPERLINK("x")\nsecond, line; "quoted"',
    "description": "'already quoted",
    "tags": ["a,b", "c|d", "e\\f", "-minus", "plain"],
    "originalUrl": "https://example.com/?q=a,b;c|d",
    "utmParameters": {"source": "@home", "campaign": " +plus "},
    "externalId": "=1+1",
    "expiresAt": "2031-06-01T12:30:00.000Z",
    "forwardQuery": False,
    "isActive": False,
    "iosUrl": "https://apps.example.com/ios",
}


@pytest.mark.parametrize("output", ["csv", "ndjson", "json"])
def test_an_export_imports_to_the_same_links(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path, output: str
) -> None:
    service.add(1, **NASTY, shortCode="-nasty-")
    service.add(1, shortCode="simple", title=None, tags=["one"], externalId=None)
    before = created(service)
    path = tmp_path / "links.out"
    path.write_bytes(unlinkctl("list", "-o", output).out.encode())
    service.links.clear()
    ran = unlinkctl("create", "--csv", str(path))
    assert ran.code == 0, ran.err
    own = [*NASTY, "shortCode"]
    for code, link in created(service).items():
        tags = link["tags"].copy()
        assert tags.pop().startswith("import-")
        now = link | {"tags": tags}
        for name in own:
            expected = before[code][name]
            if name == "utmParameters":
                expected = {key: value for key, value in (expected or {}).items() if value} or None
            assert now.get(name, True if name in ("isActive", "forwardQuery") else None) == (
                expected
            ), name
    assert set(created(service)) == {"-nasty-", "simple"}


def test_no_cell_of_a_csv_export_is_a_formula(service: FakeUnlink, unlinkctl: Run) -> None:
    for value in ("=1", "+1", "-1", "@x", "\t=1", "\r=1"):
        service.add(1, title=value)
    for row in csv.DictReader(io.StringIO(unlinkctl("list", "-o", "csv").out, newline="")):
        assert row["title"][0] == "'"


@pytest.mark.parametrize("text", ["", "'", "''", "=1", "'=1", "''=1", "-", "plain", "'tis", "\t"])
def test_neutralised_text_is_restored(text: str) -> None:
    assert restore(neutralise(text)) == text


@pytest.mark.parametrize("tags", [("a,b",), ("a", "b"), ("a|b", "c\\d"), ("x;y",), ("\\",)])
def test_tags_are_restored(tags: tuple[str, ...]) -> None:
    assert tuple(split_tags(join_tags(tags))) == tags


def test_the_reserved_codes_are_those_of_the_service() -> None:
    assert frozenset(RESERVED_CODES) == reserved.RESERVED_CODES
    for code in ("Favicon_ICO", "ADMIN", "welcome", "-docs-", "robots-txt"):
        assert reserved.is_reserved(code) is is_reserved(code)
