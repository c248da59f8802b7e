"""Checks the documents against the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.api.openapi.document import load_apis
from functions.domain.errors import UnlinkError
from functions.domain.policies import Policies
from tests.support.markdown_examples import (
    API,
    README,
    ROOT,
    called_routes,
    documented_routes,
    listed_routes,
)
from tests.support.template import path_of, resources, synthesized_template

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")


def _text(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def _name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def deployed_routes() -> set[tuple[str, str]]:
    """(method, path) of the synthesized API, without preflights and catch-alls."""
    template = synthesized_template()
    return {
        (method["Properties"]["HttpMethod"], path_of(template, method))
        for method in resources(template, "AWS::ApiGateway::Method").values()
        if method["Properties"]["HttpMethod"] not in {"OPTIONS", "ANY"}
    }


def test_every_deployed_route_has_a_heading() -> None:
    assert deployed_routes() - documented_routes().keys() == set()


def test_every_route_with_a_heading_is_deployed() -> None:
    assert documented_routes().keys() - deployed_routes() == set()


def test_the_readme_lists_every_route_with_its_scopes() -> None:
    assert listed_routes() == documented_routes()


def test_every_deployed_route_has_a_curl_line() -> None:
    called = called_routes()
    # The most literal path that fits is the one that the gateway matches.
    by_literalness = sorted(deployed_routes(), key=lambda route: route[1].count("{"))
    missing = set(by_literalness)
    for method, path in called:
        for route in by_literalness:
            pattern = re.sub(r"\{\w+\}", "[^/]+", route[1])
            if route[0] == method and re.fullmatch(pattern, path):
                missing.discard(route)
                break
    assert missing == set()


def test_the_heading_of_a_route_names_its_scope() -> None:
    documented = documented_routes()
    scopes = {
        (route.method, route.resource): set(route.scopes)
        for api in load_apis()
        for route in api.routes
        if route.scopes
    }
    assert scopes
    assert {route: documented[route] for route in scopes} == scopes


@pytest.mark.parametrize("document", [README, API, ROOT / "docs" / "access.md"], ids=_name)
def test_plan_tables_are_the_plans(document: Path) -> None:
    plans = json.loads((ROOT / "functions" / "domain" / "plans.json").read_text(encoding="utf-8"))
    rows = {
        row[1]: (int(row[2].replace(",", "")), int(row[3].replace(",", "")))
        for row in re.finditer(
            r"^\| (\w+)[^|]* \| ([\d,]+) \| ([\d,]+) \|$", _text(document), re.MULTILINE
        )
    }
    assert rows == {
        name: (limits["requestsPerMinute"], limits["maxIds"]) for name, limits in plans.items()
    }


def test_the_table_of_workspace_limits_is_the_plans() -> None:
    plans = json.loads((ROOT / "functions" / "domain" / "plans.json").read_text(encoding="utf-8"))
    rows = {
        row[1]: [int(cell.replace(",", "")) for cell in row[2].split(" | ")]
        for row in re.finditer(
            r"^\| (\w+) \| ([\d,]+(?: \| [\d,]+){5}) \|$",
            _text(ROOT / "docs" / "access.md"),
            re.MULTILINE,
        )
    }
    columns = (
        "linksPerWorkspace",
        "linksPerCreate",
        "filterReadsPerRequest",
        "filterReadsPerMinute",
        "openFilters",
        "openExports",
    )
    assert rows == {name: [limits[each] for each in columns] for name, limits in plans.items()}


def test_the_status_of_every_error_is_listed() -> None:
    def tree(error: type[UnlinkError]) -> Iterator[type[UnlinkError]]:
        yield error
        for child in error.__subclasses__():
            yield from tree(child)

    listed = {int(row[1]) for row in re.finditer(r"^\| (\d{3}) \|", _text(API), re.MULTILINE)}
    assert {int(error.status) for error in tree(UnlinkError)} - listed == set()


def test_the_policies_of_a_workspace_are_listed() -> None:
    access = _text(ROOT / "docs" / "access.md")
    listed = re.findall(r"^\| `--([a-z-]+)` \|", access, re.MULTILINE)
    assert listed == [name.replace("_", "-") for name in Policies._fields]


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    text = document.read_text(encoding="utf-8")
    code = "\n".join(_FENCE.findall(text) + _CODE.findall(_FENCE.sub("", text)))
    named = set(re.findall(r"(?:^|[\s`;&])make ([a-z][a-z0-9-]*)", code))
    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_relative_link_of_a_document_resolves(document: Path) -> None:
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    broken = []
    for link in _LINK.finditer(text):
        target, _, anchor = link["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (document.parent / target) if target else document
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(link["target"])
    assert broken == []


def _anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub spells them."""
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
