"""The output and examples of `make run`, on the stack that the same code started."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

from local.demo_data import Workspace, show
from local.run import EXAMPLES, curl
from local.stack import LocalStack

Demo = tuple[Workspace, list[dict[str, Any]]]


def test_every_deployed_route_has_an_example(stack: LocalStack) -> None:
    routes = stack.routes()
    assert ("DELETE", "/api/links") in routes
    assert [route for route in routes if route not in EXAMPLES] == []


def test_every_line_of_the_guide_works_when_pasted(stack: LocalStack, demo: Demo) -> None:
    workspace, links = demo
    shown = show(stack.base_url, workspace, links)
    responses = {}
    for method, path in stack.routes():
        line = curl(stack.base_url, workspace, method, path, shown)
        done = subprocess.run(
            [*shlex.split(line), "-s"], capture_output=True, text=True, check=True, timeout=60
        )
        responses[method, path] = done.stdout.split()[1]
    refused = {route: status for route, status in responses.items() if status[0] not in "23"}
    # The receipt of an erasure that began a moment ago is not signed yet.
    assert refused == {("GET", "/api/receipts/{id}"): "409"}


def test_the_demo_links_have_clicks(stack: LocalStack, demo: Demo) -> None:
    _, links = demo
    clicks = stack.client("dynamodb").scan(TableName=stack.outputs["ClicksTableName"])["Items"]
    known = {link["id"] for link in links}
    counted = [item for item in clicks if item["pk"]["S"].partition("#")[0] in known]
    assert len(links) == 25
    assert len(counted) > 40
