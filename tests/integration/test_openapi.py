"""The OpenAPI document matches the code, and the deployed API matches the document."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema_rs
import pytest

from functions.api import console as console_files
from functions.api import docs_page
from functions.api.app import Api
from functions.api.openapi.document import assemble, load_apis
from functions.api.openapi.schemas import ANNOTATIONS, RESPONSES
from functions.api.response import Response
from functions.api.route import Route, Routes
from functions.domain import errors
from functions.domain.api_keys import KEY_ID
from functions.domain.error_examples import EXAMPLES
from functions.domain.errors import UnlinkError
from functions.domain.plans import MAX_IDS
from functions.domain.short_codes import SHORT_CODE
from functions.schemas import link_responses
from functions.schemas.filters import MAX_CLICKS
from functions.schemas.link_views import link_view
from functions.schemas.links import MAX_CREATE, LinkChanges
from functions.services.api_keys import MAX_ACTIVE_KEYS
from functions.services.installs import ATTRIBUTION_DAYS
from tests.support.links import a_link
from tests.support.markdown_examples import ROOT
from tests.support.openapi import openapi_document, operations
from tests.support.template import path_of, properties_of, resources, synthesized_template

DOCUMENT = openapi_document()
ROUTES = [route for api in load_apis() for route in api.routes]
OPERATIONS = operations()


def schema(name: str) -> Any:
    return jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def test_the_document_and_the_deployed_api_have_the_same_routes() -> None:
    template = synthesized_template()
    deployed = {
        (method["Properties"]["HttpMethod"], path_of(template, method))
        for method in resources(template, "AWS::ApiGateway::Method").values()
    }
    deployed = {route for route in deployed if route[0] not in {"OPTIONS", "ANY"}}
    undocumented = deployed - set(OPERATIONS)
    assert not undocumented, f"register {sorted(undocumented)}, or add them to base.yaml"
    assert not set(OPERATIONS) - deployed, "documented, but not deployed"
    assert DOCUMENT["paths"].keys() == {path for _, path in OPERATIONS}, (
        "base.yaml has a path without an operation"
    )


def test_the_document_asks_for_a_key_where_the_gateway_does() -> None:
    template = synthesized_template()
    for method in resources(template, "AWS::ApiGateway::Method").values():
        properties = method["Properties"]
        route = properties["HttpMethod"], path_of(template, method)
        if route[0] not in {"OPTIONS", "ANY"}:
            assert bool(OPERATIONS[route]["security"]) == bool(properties.get("ApiKeyRequired"))


def test_parameters_are_named_as_the_gateway_names_them() -> None:
    for (_, path), operation in OPERATIONS.items():
        named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


def test_operation_ids_are_unique_and_links_point_to_them() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    for operation in OPERATIONS.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                assert link["operationId"] in ids


def test_every_example_matches_its_schema() -> None:
    seen = 0
    for route, operation in OPERATIONS.items():
        contents = [
            content
            for holder in [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in holder.get("content", {}).values()
        ]
        for content in contents:
            examples = [each["value"] for each in content.get("examples", {}).values()]
            if "example" in content:
                examples.append(content["example"])
            validator = jsonschema_rs.validator_for(
                content["schema"] | {"components": DOCUMENT["components"]}
            )
            for example in examples:
                seen += 1
                assert validator.is_valid(example), (route, example)
    assert seen > 50


def test_paths_take_what_the_code_reads() -> None:
    patterns = {
        path: [
            each["schema"]["pattern"] for each in operation["parameters"] if each["in"] == "path"
        ]
        for (_, path), operation in OPERATIONS.items()
    }
    assert patterns["/api/keys/{id}"] == [f"^{KEY_ID.pattern}$"]
    assert patterns["/{code}"] == [f"^{SHORT_CODE.pattern}$"]
    [docs], [console] = patterns["/api/docs/{asset}"], patterns["/console/{asset}"]
    assert all(re.fullmatch(docs, name) for name in docs_page._ASSETS)
    assert re.fullmatch(docs, "unlinkctl-1.0.0-py3-none-any.whl")
    assert all(re.fullmatch(console, f"name{suffix}") for suffix in console_files._MEDIA_TYPES)


def test_no_pattern_looks_ahead_or_behind() -> None:
    # From such a pattern, the fuzz test takes long to generate texts of a given length.
    patterns = re.findall(r'"pattern": "((?:[^"\\\\]|\\\\.)*)"', json.dumps(DOCUMENT))

    assert len(patterns) > 50
    assert [each for each in patterns if re.search(r"\(\?<?[=!]", each)] == []


def test_the_name_of_a_key_matches_its_pattern() -> None:
    name = schema("NewApiKey")

    for text in ("ci", "a b", " padded ", "\u00e9", "x" * 100):
        assert name.is_valid({"name": text, "scopes": ["linksRead"]}), text
    for text in ("", " ", "\u3000", "a\tb", "a\n", "\x7f", "a\x9f", "x" * 101):
        assert not name.is_valid({"name": text, "scopes": ["linksRead"]}), text


def test_the_media_types_of_files_are_those_that_are_served() -> None:
    for path, served in (
        ("/api/docs/{asset}", {*docs_page._ASSETS.values(), "application/octet-stream"}),
        ("/console/{asset}", set(console_files._MEDIA_TYPES.values())),
    ):
        content = OPERATIONS["GET", path]["responses"]["200"]["content"]
        assert set(content) == {each.partition(";")[0] for each in served}


def test_the_bounds_of_clicks_are_in_the_document() -> None:
    """Not as the keywords of pydantic, which no reader of a JSON schema knows."""
    bounds = {"type": "integer", "minimum": 0, "maximum": MAX_CLICKS}
    query = {each["name"]: each for each in OPERATIONS["GET", "/api/links"]["parameters"]}
    members = DOCUMENT["components"]["schemas"]["FilterFields"]["properties"]
    for name in ("minClicks", "maxClicks"):
        described = {"description": members[name]["description"]}
        assert query[name]["schema"] == bounds
        assert members[name] == bounds | described


def test_a_change_has_no_defaults() -> None:
    """A generated client would send them, and would so activate an inactive link."""
    members = DOCUMENT["components"]["schemas"]["LinkChanges"]["properties"]
    assert set(members) == set(LinkChanges.model_fields)
    assert [name for name, member in members.items() if "default" in member] == []
    new = DOCUMENT["components"]["schemas"]["NewLink"]["properties"]
    defaults = {name: member["default"] for name, member in new.items() if "default" in member}
    assert defaults == {"tags": [], "forwardQuery": True, "isActive": True}


def test_a_deletion_has_ids_or_a_filter() -> None:
    content = OPERATIONS["POST", "/api/deletions"]["requestBody"]["content"]["application/json"]
    body = jsonschema_rs.validator_for(content["schema"] | {"components": DOCUMENT["components"]})
    by_filter = {"filter": {"tag": "a"}, "confirmationToken": "x", "dryRun": True}
    assert body.is_valid({"ids": ["x"], "mode": "erase", "export": True, "reason": None})
    assert body.is_valid(by_filter)
    assert not body.is_valid({"mode": "erase"})
    assert not body.is_valid(by_filter | {"ids": ["x"]})
    assert not body.is_valid({"ids": ["x"], "confirmationToken": "x"})
    assert not body.is_valid({"filter": {}})
    assert not body.is_valid({"ids": []})


def test_bodies_that_may_be_missing_are_documented() -> None:
    bodies = {route: operation.get("requestBody") for route, operation in OPERATIONS.items()}
    assert {route for route, body in bodies.items() if body and not body["required"]} == {
        ("DELETE", "/api/links/{id}"),
        ("POST", "/api/deletions/{id}/restore"),
    }


def test_a_body_that_is_too_large_is_documented_where_one_is_read() -> None:
    """Of a GET only the gateway refuses a body."""
    for route in ROUTES:
        [content] = OPERATIONS[route.method, route.resource]["responses"]["413"]["content"].values()
        assert ("BodyTooLarge" in content.get("examples", {})) is (route.method != "GET")


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=lambda error: type(error).__name__)
def test_errors_match_the_schemas_of_both_formats(error: UnlinkError) -> None:
    if isinstance(error, errors.Unauthenticated):
        assert error.to_hoko() == error.to_linkforty()
        assert schema("GatewayError").is_valid(error.to_hoko())
        return
    assert schema("HokoError").is_valid(error.to_hoko())
    assert schema("LinkFortyError").is_valid(error.to_linkforty())


def test_an_error_with_retry_after_documents_the_header() -> None:
    waits = {type(each).__name__ for each in EXAMPLES.values() if "Retry-After" in each.headers()}
    responses = [
        (name, response["headers"])
        for operation in OPERATIONS.values()
        for response in operation["responses"].values()
        for content in response.get("content", {}).values()
        for name in content.get("examples", {})
        if name in waits
    ]
    assert {name for name, _ in responses} >= {"RateLimited", "ReceiptPending", "Unavailable"}
    assert [name for name, headers in responses if "Retry-After" not in headers] == []


def test_statuses_have_the_names_of_rfc_9110_on_every_python() -> None:
    assert errors.BodyTooLarge().to_linkforty()["error"] == "Content Too Large"
    assert errors.KeyReused().to_linkforty()["error"] == "Unprocessable Content"
    assert "Entity" not in json.dumps(DOCUMENT)


def test_the_503_of_a_redirect_is_documented() -> None:
    for method in ("GET", "HEAD"):
        responses = OPERATIONS[method, "/{code}"]["responses"]
        assert {"302", "404", "503"} <= responses.keys()
        assert "Retry-After" in responses["503"]["headers"]


def test_the_linkforty_404_is_exact() -> None:
    assert schema("LinkNotFoundError").is_valid(errors.LinkNotFound().to_linkforty())
    operation = OPERATIONS["GET", "/api/links/{id}"]
    content = operation["responses"]["404"]["content"]["application/json"]
    assert {"$ref": "#/components/schemas/LinkNotFoundError"} in content["schema"]["anyOf"]


def test_gateway_responses_match_their_schema() -> None:
    template = synthesized_template()
    validator = schema("GatewayError")
    for response in properties_of(template, "AWS::ApiGateway::GatewayResponse"):
        body = response["ResponseTemplates"]["application/json"]
        assert validator.is_valid(json.loads(body))


def test_a_link_in_a_response_has_the_fields_of_the_document() -> None:
    view = link_view(a_link(), "https://links.example")
    assert set(view) == set(link_responses.Link.__annotations__)
    assert schema("Link").is_valid(view)
    assert not schema("Link").is_valid(view | {"secret": 1})


@pytest.mark.parametrize("name", sorted(set(RESPONSES) - {"ErrorMembers"}))
def test_response_schemas_allow_no_other_fields(name: str) -> None:
    described = DOCUMENT["components"]["schemas"][name]
    assert described["additionalProperties"] is False
    assert set(described["properties"]) == set(RESPONSES[name].__annotations__)


def test_the_same_code_makes_the_same_document(tmp_path: Path) -> None:
    """Also where sets have another order. The archive's hash names the sources alone."""
    subprocess.run(
        [sys.executable, "-m", "functions.api.openapi", str(tmp_path / "openapi.json")],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    made = (tmp_path / "openapi.json").read_text(encoding="utf-8")
    assert made == json.dumps(DOCUMENT, ensure_ascii=False, separators=(",", ":"))


def named(body: Any) -> set[str]:
    """The names of the response types that an annotation or a schema names."""
    return set(re.findall(r"\w+", str(body))) & set(RESPONSES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation_id)
def test_the_successes_of_an_operation_are_the_endpoints_return_type(route: Route) -> None:
    returned = get_type_hints(route.endpoint, localns=ANNOTATIONS)["return"]
    described = OPERATIONS[route.method, route.resource]["responses"]
    successes = [described[status]["content"] for status in described if status.startswith("2")]
    assert set().union(*map(named, successes)) == named(returned)
    assert bool(named(returned)) is (route.endpoint.__name__ != "get_link_qr")


def test_the_body_of_202_is_the_pending_type_alone() -> None:
    responses = OPERATIONS["DELETE", "/api/links"]["responses"]
    assert [named(responses[status]["content"]) for status in ("200", "202")] == [
        {"DeletedLinks"},
        {"PendingLinks"},
    ]


def test_every_path_that_a_response_leads_to_has_routes() -> None:
    """A misspelled one would lead nowhere."""
    paths = {path for route in ROUTES for path in route.described.leads_to}
    assert paths
    assert paths <= {route.resource for route in ROUTES}


def test_a_response_about_a_deletion_leads_to_it() -> None:
    for (method, path), operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            if method != "GET" and status < "300" and "X-Deletion-Id" in response["headers"]:
                assert "getDeletion" in response["links"], (method, path, status)


def test_descriptions_name_the_limits_of_the_code() -> None:
    keys = OPERATIONS["POST", "/api/keys"]["description"]
    assert f"can have {MAX_ACTIVE_KEYS} active keys" in keys
    installs = OPERATIONS["POST", "/api/installs"]["description"]
    assert f"at most {ATTRIBUTION_DAYS} days older" in installs
    assert f"up to {MAX_IDS:,} links" in OPERATIONS["DELETE", "/api/links"]["summary"]
    assert f"up to {MAX_CREATE:,} (an array)" in OPERATIONS["POST", "/api/links"]["summary"]


@pytest.mark.parametrize(("tag", "text"), [("Links", None), ("Unknown", "New.")])
def test_a_route_without_a_text_or_a_known_tag_is_an_error(tag: str, text: str | None) -> None:
    routes = Routes(tag)

    def get(_request: object) -> Response[str]:
        raise NotImplementedError

    get.__doc__ = text
    routes.route("GET", "/api/new", scope="linksRead")(get)
    with pytest.raises(LookupError, match="GET /api/new needs a docstring and one of the tags"):
        assemble([Api(routes)])


def test_no_function_loads_the_types_of_responses() -> None:
    """They are for type checkers and for the document: a cold start must not pay for them."""
    program = """
import importlib, pathlib, sys
for path in pathlib.Path("functions/handlers").glob("[!_]*.py"):
    importlib.import_module(f"functions.handlers.{path.stem}")
types = ("_responses", ".json_types", ".record_types", ".error_bodies", ".openapi")
types += ("schemas.events", ".request_bodies", ".error_examples")
print([name for name in sys.modules if name.startswith("functions.") and name.endswith(types)])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
