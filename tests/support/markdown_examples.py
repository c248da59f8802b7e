"""The README and docs/api.md as data, for the tests that hold them to the code.

An example is a fenced ``sh`` block with a curl line in it. A line follows that begins with the
status of the last response. Then comes a block with its content, if the example shows it:
``json`` for a body, ``http`` for some of the headers.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"
API = ROOT / "docs" / "api.md"

#: Whose examples are run, each from top to bottom.
WITH_EXAMPLES = (README, API)

_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"\n+(?P<status>\d{3})\b[^\n]*\n")
_RESPONSE = re.compile(r"\n*```(?P<kind>json|http)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ROUTE_HEADING = re.compile(r"^### (?P<title>.*`/?[A-Z]+ /.*)$", re.MULTILINE)
_ROUTE_ROW = re.compile(
    r"^\| \[(?P<route>`[A-Z]+ /[^`]*`)\]\([^)]*\) \| (?P<scopes>[^|]*) \|", re.MULTILINE
)
_ROUTE = re.compile(r"`(?P<method>[A-Z]+) (?P<path>/[^`]*)`")
_SCOPE = re.compile(r"`(?P<scope>[a-z][A-Za-z]+)`")


@dataclass(frozen=True)
class Example:
    """``script`` is run by a shell; ``response`` is "" if the page does not show it."""

    document: Path
    line: int
    script: str
    status: int
    kind: str
    response: str


def examples(document: Path) -> list[Example]:
    """Every example in order; each must show the status of its response."""
    text = document.read_text(encoding="utf-8")
    found = []
    for block in _BLOCK.finditer(text):
        if block["kind"] != "sh" or not re.search(r"\bcurl\b", block["text"]):
            continue
        line = text.count("\n", 0, block.start()) + 1
        status = _STATUS.match(text, block.end())
        assert status, f"{document.name}:{line}: the status of the response must follow this block"
        response = _RESPONSE.match(text, status.end())
        found.append(
            Example(
                document=document,
                line=line,
                script=block["text"],
                status=int(status["status"]),
                kind=response["kind"] if response else "",
                response=response["text"] if response else "",
            )
        )
    return found


def documented_routes() -> dict[tuple[str, str], set[str]]:
    """(method, path) of each route that a heading of docs/api.md names, with its scopes."""
    routes: dict[tuple[str, str], set[str]] = {}
    for heading in _ROUTE_HEADING.finditer(API.read_text(encoding="utf-8")):
        scopes = {match["scope"] for match in _SCOPE.finditer(heading["title"])}
        for route in _ROUTE.finditer(heading["title"]):
            routes[route["method"], route["path"]] = scopes
    return routes


def listed_routes() -> dict[tuple[str, str], set[str]]:
    """The same of the README's table."""
    routes: dict[tuple[str, str], set[str]] = {}
    for row in _ROUTE_ROW.finditer(README.read_text(encoding="utf-8")):
        route = _ROUTE.fullmatch(row["route"])
        assert route
        scopes = {match["scope"] for match in _SCOPE.finditer(row["scopes"])}
        routes[route["method"], route["path"]] = scopes
    return routes


def called_routes() -> set[tuple[str, str]]:
    """(method, path) of every curl line of docs/api.md, the path as written, without its query."""
    calls = set()
    for example in examples(API):
        script = example.script.replace("\\\n", " ")
        for call in re.finditer(r"\bcurl\b[^\n|]*", script):
            words = shlex.split(re.sub(r"\$\([^()]*\)", "x", call[0]).rstrip(") "))
            path = next(
                (word.partition("?")[0] for word in words if word.startswith("$BASE_URL")), ""
            )
            method = "GET"
            if "-X" in words:
                method = words[words.index("-X") + 1]
            elif "-I" in words:
                method = "HEAD"
            elif "-d" in words:
                method = "POST"
            calls.add((method, path.removeprefix("$BASE_URL")))
    return calls
