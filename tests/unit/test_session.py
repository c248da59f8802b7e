"""Clients of the trimmed session do what botocore's own clients do."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from copy import copy
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import PartialCredentialsError
from botocore.handlers import BUILTIN_HANDLERS
from botocore.session import get_session

from functions.aws.session import proxies, session_for
from infra.packaging import ROOT
from infra.service_models import OPERATIONS

REGION = "eu-central-1"

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}

#: An operation that the installed botocore does not know.
OPERATION = "SomeOperation"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def in_a_new_process(program: str) -> Any:
    """What a program prints as JSON, with the environment of a function."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=CREDENTIALS | {"AWS_DEFAULT_REGION": REGION, "PATH": os.environ["PATH"]},
    )
    return json.loads(done.stdout)


def test_a_client_and_a_call_import_nothing_that_is_deferred() -> None:
    program = """
import json, sys
from functions.aws.session import UNUSED
from functions.aws.client import client
from botocore.awsrequest import AWSResponse

class Raw:
    def stream(self, **_):
        yield b"{}"

made = client("dynamodb")
def respond(request, **_):
    return AWSResponse(request.url, 200, {}, Raw())

made.meta.events.register("before-send", respond)
made.get_item(TableName="links", Key={"pk": {"S": "x"}})
made.put_item(TableName="links", Item={"pk": {"S": "x"}})
print(json.dumps([name for name in UNUSED if name in sys.modules]))
"""
    assert in_a_new_process(program) == []


def test_what_is_deferred_works_when_it_is_used() -> None:
    """Documentation, waiters, paginators, retry modes and proxies, as botocore has them."""
    uses = """
import json
dynamodb = session.create_client("dynamodb")
s3 = session.create_client("s3", config=Config(retries={"mode": "adaptive"}))
legacy = session.create_client("sqs", config=Config(retries={"mode": "legacy"}))
print(json.dumps([
    str(dynamodb.get_item.__doc__),
    str(dynamodb.get_paginator("query").paginate.__doc__),
    str(dynamodb.get_waiter("table_exists").wait.__doc__),
    dynamodb.waiter_names,
    dynamodb.get_paginator("query").result_keys[0].expression,
    s3.meta.config.retries,
    legacy.meta.config.retries,
]))
"""
    own = """
from functions.aws.session import Config, session_for
from botocore.handlers import BUILTIN_HANDLERS
session = session_for("dynamodb")
"""
    botocores = """
from botocore.config import Config
from botocore.session import get_session
session = get_session()
"""
    assert in_a_new_process(own + uses) == in_a_new_process(botocores + uses)


def test_xml_is_read_as_botocore_reads_it() -> None:
    """Whole and broken: the class of the parser's error is deferred too."""
    bodies = ["<ListBucketResult><Name>x</Name></ListBucketResult>", "<ListBucketResult>", "x"]
    use = f"""
import json
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

class Raw:
    def __init__(self, body):
        self.body = body.encode()
    def stream(self, **_):
        yield self.body

s3 = session.create_client("s3", config=Config(retries={{"total_max_attempts": 1}}))
def read(body):
    def respond(request, **_):
        return AWSResponse(request.url, 200, {{}}, Raw(body))

    s3.meta.events.register("before-send", respond, unique_id="respond")
    try:
        return s3.list_objects_v2(Bucket="bucket")["Name"]
    except (ClientError, ResponseParserError) as error:
        return str(error)
    finally:
        s3.meta.events.unregister("before-send", unique_id="respond")
print(json.dumps([read(body) for body in {bodies!r}]))
"""
    own = "from functions.aws.session import session_for\nsession = session_for('s3')\n"
    botocores = "from botocore.session import get_session\nsession = get_session()\n"
    said = in_a_new_process(own + use)

    assert said == in_a_new_process(botocores + use)
    assert said[0] == "x"
    assert all(each.startswith("An error occurred (500)") for each in said[1:])


def test_every_deferred_name_exists() -> None:
    """A new release of botocore may move one: the cold start would then pay for it again."""
    program = """
import importlib, json
from functions.aws.session import UNUSED
print(json.dumps([
    f"{name}.{member}"
    for name, members in UNUSED.items()
    for member in (*members, "__name__")
    if not hasattr(importlib.import_module(name), member)
]))
"""
    assert in_a_new_process(program) == []


def test_the_patterns_of_the_libraries_are_those_that_they_compile() -> None:
    """Every pattern that a module or a class of botocore and urllib3 has, by its place."""
    program = """
import json, re, sys
def patterns():
    for name, module in sorted(sys.modules.items()):
        if name.startswith(("botocore", "urllib3")):
            places = [(name, module)] + [
                (f"{name}.{each.__qualname__}", each)
                for each in vars(module).values() if type(each) is type
            ]
            for place, owner in places:
                for member, value in sorted(vars(owner).items()):
                    if isinstance(value, re.Pattern):
                        yield [place, member, str(value.pattern), value.flags]
print(json.dumps(list(patterns())))
"""
    own = in_a_new_process("import functions.aws.session" + program)
    botocores = in_a_new_process(
        "import botocore.session, botocore.config, botocore.loaders" + program
    )
    # Modules that the functions do not import have some more.
    assert len(own) > 40
    assert [each for each in own if each not in botocores] == []


def test_a_start_does_not_compile_what_no_call_uses() -> None:
    program = """
import json
from functions.aws.client import client
client("dynamodb")
from botocore.compat import IPV6_ADDRZ_RE
print(json.dumps("match" in vars(IPV6_ADDRZ_RE)))
"""
    assert in_a_new_process(program) is False


@pytest.mark.parametrize("service", sorted(OPERATIONS))
def test_a_client_has_the_handlers_of_botocores_own_client(service: str) -> None:
    """In the same order, for every event of every operation that a handler is made for."""
    own = session_for(service).create_client(service, REGION)
    botocores = get_session().create_client(service, REGION)
    service_id = own.meta.service_model.service_id.hyphenize()
    kinds = {event.split(".")[0] for event, *_ in BUILTIN_HANDLERS}
    operations = {*own.meta.service_model.operation_names, OPERATION}

    for kind in kinds - {"docs"}:
        for operation in operations:
            event = f"{kind}.{service_id}.{operation}"
            assert handlers(own, event) == handlers(botocores, event), event


def handlers(client: Any, event: str) -> list[str]:
    """The handlers that an event calls, in order, by their names."""
    events = client.meta.events
    found = getattr(events, "_emitter", events)._handlers.prefix_search(event)
    return [getattr(each, "__qualname__", repr(type(each))) for each in found]


class Events:
    """The events of a client: its own, or those that botocore would give it."""

    def __init__(self, events: Any) -> None:
        self.events = events
        self.called: list[Any] = []

    def register(self, name: str, event: str, response: object = None) -> None:
        def handler(**given: Any) -> object:
            self.called.append((name, given))
            return response

        handler.__name__ = name
        self.events.register(event, handler)

    def named(self, found: Any) -> Any:
        return [(handler and handler.__name__, response) for handler, response in found]


@pytest.mark.parametrize("service", ["dynamodb", "events", "secretsmanager"])
def test_events_are_emitted_as_botocore_emits_them(service: str) -> None:
    """Twice each, because the second time the handlers of an event are cached."""
    seen = []
    for session in (session_for(service), get_session()):
        made = Events(copy(session.get_component("event_emitter")))
        # Of "a", so that handlers of botocore are not called.
        made.register("all", "a")
        made.register("service", f"a.{service}", 1)
        made.register("operation", f"a.{service}.Put")
        made.register("last", f"a.{service}.Put", 0)
        results: list[Any] = []
        for _ in range(2):
            for event in ("a", f"a.{service}", f"a.{service}.Put", f"b.{service}.Put"):
                results.append(made.named(made.events.emit(event, key=event)))
                results.append(made.named([made.events.emit_until_response(event, key=event)]))
        seen.append((results, made.called))

    assert seen[0] == seen[1]
    assert seen[0][0][4:6] == [
        [("operation", None), ("last", 0), ("service", 1), ("all", None)],
        [("last", 0)],
    ]


def test_handlers_may_change_after_an_event() -> None:
    made = Events(session_for("dynamodb").get_component("event_emitter"))
    made.register("first", "a")
    assert made.named(made.events.emit("a")) == [("first", None)]

    copied = Events(copy(made.events))
    copied.register("second", "a", 2)
    assert copied.named(copied.events.emit("a")) == [("first", None), ("second", 2)]
    assert made.named(made.events.emit("a")) == [("first", None)]

    [(handler, _)] = made.events.emit("a")
    made.events.unregister("a", handler)
    assert made.events.emit("a") == []
    assert made.events.emit_until_response("a") == (None, None)


def test_credentials_are_those_of_the_environment() -> None:
    found = session_for("dynamodb").get_credentials()

    assert found is not None
    assert tuple(found.get_frozen_credentials())[:3] == ("AKIDEXAMPLE", "secret", "token")


def test_a_start_logs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With Lambda's credentials, and with those that botocore searches for."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with caplog.at_level(logging.INFO):
        session_for("dynamodb").create_client("dynamodb", REGION)
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00Z")
        session_for("dynamodb").create_client("dynamodb", REGION)

    assert caplog.records == []


def test_credentials_with_an_expiry_are_left_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00Z")

    found = session_for("dynamodb").get_credentials()

    assert isinstance(found, RefreshableCredentials)
    assert found.access_key == "AKIDEXAMPLE"


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_of_a_pair_of_credentials_is_left_to_botocore(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if name == "AWS_SECRET_ACCESS_KEY":
        with pytest.raises(PartialCredentialsError):
            session_for("dynamodb").get_credentials()
    else:
        assert session_for("dynamodb").get_credentials() is None


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "NO_PROXY"])
def test_proxies_are_searched_if_the_environment_names_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert proxies() == {}
    monkeypatch.setenv(name, "http://127.0.0.1:3128")
    assert proxies() is None
