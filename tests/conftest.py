"""Shared fixtures: an emulated DynamoDB with the stack's tables."""

from __future__ import annotations

import gc
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import boto3
import hypothesis
import pytest
from botocore import hooks, httpsession
from botocore.client import ClientCreator
from botocore.errorfactory import ClientExceptionsFactory
from botocore.utils import EVENT_ALIASES

from functions import config, container
from functions.aws import client as aws
from functions.aws import fast_json, secrets
from functions.aws.session import session_for
from functions.domain.deletion import Deletion
from functions.domain.link import Link
from functions.repositories.access import AccessTable
from functions.repositories.clicks import ClicksTable
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasures import ErasuresTable
from functions.repositories.filter_slots import FilterSlots
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports
from functions.services import visits
from functions.services.deletion import DeletionRequest, Stores
from local.emulator import credentials
from tests.support import in_process_dynamodb
from tests.support.api_gateway import Reply, api_event, send
from tests.support.in_process_dynamodb import SERVICES_URL, DirectPuts, StartingPoint
from tests.support.template import synthesized_template, table_definitions

if TYPE_CHECKING:
    from functions.schemas.links import NewLink

pytest_plugins = [
    "tests.support.deployed_stack",
    "tests.support.emulator",
    "tests.support.erasure",
    "tests.support.exports",
    "tests.support.forked_workers",
    "tests.support.openapi",
    "tests.support.sdk_models",
    "tests.support.virtual_time",
]

# Plugins have it by themselves.
pytest.register_assert_rewrite("tests.support.clicks")

ReportFigure = Callable[[str], None]
_FIGURE = "figure"

# An example that takes long on a busy machine is not a failure.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

_real_sleep = time.sleep

TABLES = ("links", "clicks", "deletions", "access")


@pytest.fixture
def report_figure(record_property: Callable[[str, object], None]) -> ReportFigure:
    """Adds a line with a figure to the summary of the run."""
    return lambda line: record_property(_FIGURE, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        str(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == _FIGURE
    ]
    if lines:
        terminalreporter.section("figures")
        for line in sorted(set(lines)):
            terminalreporter.write_line(line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Collect no garbage at the end. pytest does it five times, and looks at every object."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_host_credentials() -> Iterator[None]:
    """No test may reach a real account: the host's AWS settings are removed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") and name != "AWS_ENDPOINT_URL_DYNAMODB":
                patch.delenv(name)
        for name, value in credentials().items():
            patch.setenv(name, value)
        patch.setenv("POWERTOOLS_SERVICE_NAME", "unlink")
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_cdk_validation() -> Iterator[None]:
    """The CDK's validation of templates takes eight seconds to load, and only prints warnings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDK_VALIDATION", "false")
        yield


@pytest.fixture(scope="session", autouse=True)
def _shared_models() -> Iterator[None]:
    """Let all clients share what botocore derives from the model of a service.

    Each test makes its own clients. A new one makes a method for each operation, compares the name
    of each of its events with 65 aliases, reads the signature of each handler, and looks up the
    shapes of its first requests: most of what a client costs.
    """
    names: dict[str, str] = {}
    init = hooks.EventAliaser.__init__
    shared: dict[Any, Any] = {}

    def once(owner: type, name: str) -> Callable[..., Any]:
        make = getattr(owner, name)

        def made(maker: Any, *service: Any) -> Any:
            key = (name, *service)
            if key not in shared:
                shared[key] = make(maker, *service)
            return shared[key]

        return made

    def init_with_names(aliaser: Any, emitter: Any, event_aliases: Any = None) -> None:
        init(aliaser, emitter, event_aliases)
        if aliaser._event_aliases == EVENT_ALIASES:
            aliaser._alias_name_cache = names

    methods_of = once(ClientCreator, "_create_methods")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks.EventAliaser, "__init__", init_with_names)
        patch.setattr(hooks, "accepts_kwargs", lru_cache(1024)(hooks.accepts_kwargs))
        # Half of what a client costs that has the rest from another one.
        patch.setattr(
            httpsession, "create_urllib3_context", cache(httpsession.create_urllib3_context)
        )
        for owner, name in (
            (ClientCreator, "_load_service_model"),
            (ClientCreator, "_create_name_mapping"),
            (ClientExceptionsFactory, "create_client_exceptions"),
        ):
            patch.setattr(owner, name, once(owner, name))
        # A client copies the handlers of its session's events.
        patch.setattr(aws, "session_for", _session_of_environment)
        # Handlers of events add methods of their own to a class.
        patch.setattr(
            ClientCreator, "_create_methods", lambda *arguments: {**methods_of(*arguments)}
        )
        yield


def _session_of_environment(service: str) -> Any:
    settings = sorted(each for each in os.environ.items() if each[0].startswith("AWS_"))
    return _kept_session(service, *settings)


@cache
def _kept_session(service: str, *_settings: tuple[str, str]) -> Any:
    return session_for(service)


@pytest.fixture(scope="session")
def emulator_url(_no_host_credentials: None, request: pytest.FixtureRequest) -> str:
    """The DynamoDB endpoint: the run's emulator, or AWS_ENDPOINT_URL_DYNAMODB."""
    given = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")
    url: str = given or request.getfixturevalue("emulator_url")
    return url


@pytest.fixture(scope="session")
def dynamodb_url(_no_host_credentials: None) -> Iterator[str]:
    """The endpoint of the tables: the emulator's code in this process, or what is given."""
    if given := os.environ.get("AWS_ENDPOINT_URL_DYNAMODB"):
        yield given
        return
    with in_process_dynamodb.serving() as url:
        yield url


@pytest.fixture(scope="module")
def services_url(dynamodb_url: str) -> str:
    """The endpoint of the other services: the emulator's code in this process, or what is given.

    A module may override `dynamodb_url`, and a fixture of the session would keep that for others.
    """
    return SERVICES_URL if dynamodb_url == in_process_dynamodb.URL else dynamodb_url


@pytest.fixture(scope="module")
def table_names(dynamodb_url: str) -> Iterator[dict[str, str]]:
    """The four tables, created from the synthesized template, by their logical names.

    A module has its own: tests that read whole tables would read those of all tests before.
    """
    with new_tables(dynamodb_url) as names:
        yield names


@pytest.fixture
def starting_point(dynamodb_url: str, table_names: dict[str, str]) -> StartingPoint:
    """For a test that repeats its work from one state of the tables."""
    return StartingPoint(dynamodb_url, table_names.values())


@contextmanager
def new_tables(dynamodb_url: str) -> Iterator[dict[str, str]]:
    """Tables that are deleted afterwards."""
    dynamodb = boto3.client("dynamodb", endpoint_url=dynamodb_url)
    suffix = uuid.uuid4().hex[:8]
    names = {}
    for definition in table_definitions(synthesized_template()):
        logical = definition["TableName"]
        names[logical] = definition["TableName"] = f"{logical}-{suffix}"
        dynamodb.create_table(**definition)
        dynamodb.get_waiter("table_exists").wait(TableName=names[logical])
    yield names
    for name in names.values():
        dynamodb.delete_table(TableName=name)


@pytest.fixture
def deployed(
    services_url: str,
    dynamodb_url: str,
    table_names: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, str]]:
    """The environment of the stack's functions on the emulator, with empty caches."""
    environment = {f"{logical.upper()}_TABLE": table_names[logical] for logical in TABLES} | {
        "RESUME_QUEUE_URL": f"{services_url}/000000000000/resume",
        "ERASE_QUEUE_URL": f"{services_url}/000000000000/erase",
        "EXPORT_DELIVERIES": "5",
        "CURSOR_SECRET_ARN": "arn:test:cursor",
        "VISITOR_SECRET_ARN": "arn:test:visitor",
        "PUBLIC_BASE_URL": "http://short.test",
        "API_BASE_URL": "http://short.test",
        "AWS_ENDPOINT_URL": services_url,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    forget_caches()
    if dynamodb_url == in_process_dynamodb.URL:
        in_process_dynamodb.empty(table_names.values())
    # The value from Secrets Manager; the call itself is tested elsewhere.
    monkeypatch.setattr(secrets, "call", lambda *_, **__: {"SecretString": "a test's secret"})
    yield environment
    forget_caches()


def forget_caches() -> None:
    """The caches that a function keeps for the life of its process."""
    config.setting.cache_clear()
    config.optional_setting.cache_clear()
    aws.client.cache_clear()
    secrets.secret.cache_clear()
    container.reset()
    visits.forget()


class ListQueue:
    """A queue that keeps its messages, for tests that process them."""

    url = "list"

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any], *, delay: int | None = None) -> None:
        self.messages.append(message)


@dataclass
class World:
    """The repositories on the emulator, a new workspace, and common helpers."""

    stores: Stores
    access: AccessTable
    clicks: ClicksTable
    queue: ListQueue
    workspace_id: str
    dynamodb: Any

    def deletion_request(self, workspace_id: str | None = None, **more: Any) -> DeletionRequest:
        return DeletionRequest(
            workspace_id=workspace_id or self.workspace_id,
            actor={"keyId": "test", "userId": "tester"},
            **more,
        )

    def soft_delete(
        self, ids: list[str], invalid: list[str] | None = None, **request: Any
    ) -> Deletion:
        """A soft delete of these links, by the tester."""
        from functions.services.delete_links import soft_delete

        asked = self.deletion_request(**request)
        return soft_delete(ids, invalid or [], deletion_request=asked, stores=self.stores)

    def erase(self, ids: list[str], **request: Any) -> Deletion:
        """An erasure of these links, by the tester; the dependents must be purged separately."""
        from functions.services.delete_links import erase_many

        asked = self.deletion_request(**request)
        return erase_many(ids, deletion_request=asked, stores=self.stores)

    def erase_one(self, link_id: str | None, **request: Any) -> Deletion:
        """An erasure of one live link, by the tester."""
        from functions.services.delete_links import erase_one

        asked = self.deletion_request(**request)
        return erase_one(link_id, deletion_request=asked, stores=self.stores)

    def event(self, route: str, **more: Any) -> dict[str, Any]:
        """A request of the workspace, as :func:`tests.support.api_gateway.api_event` makes it."""
        return api_event(route, **{"workspace_id": self.workspace_id} | more)

    def send(self, function: Any, route: str, **more: Any) -> Reply:
        """The reply of a function's module to such a request."""
        return send(function.handler, route, **{"workspace_id": self.workspace_id} | more)

    def call(self, function: Any, route: str, **more: Any) -> tuple[int, Any]:
        """Its status and parsed body."""
        reply = self.send(function, route, **more)
        return reply.status, reply.json()

    def pages(
        self, function: Any, route: str, query: dict[str, str] | None = None, **more: Any
    ) -> Iterator[Any]:
        """The body of every page of a list."""
        cursor: dict[str, str] = {}
        while True:
            status, body = self.call(function, route, query=(query or {}) | cursor, **more)
            assert status == 200, body
            yield body
            if body["nextCursor"] is None:
                return
            cursor = {"cursor": body["nextCursor"]}

    def create(
        self, count: int = 1, *, workspace_id: str | None = None, **fields: Any
    ) -> list[str]:
        """Create links with the real service; returns their ids."""
        return [link.id for link in self.create_items(count, workspace_id, **fields)]

    def create_items(
        self, count: int = 1, workspace_id: str | None = None, **fields: Any
    ) -> list[Link]:
        from functions.schemas.links import NewLink
        from functions.services.link_runs import LINKS_A_TRANSACTION

        # Lists are ordered by the millisecond of creation, and an emulator within the process takes
        # less than one for a call.
        _real_sleep(0.001)
        new = [NewLink(originalUrl="https://example.com/page", **fields) for _ in range(count)]
        if count > LINKS_A_TRANSACTION and not fields.keys() & {"shortCode", "externalId"}:
            # Nothing refuses them, and the work of the emulator would be most of the test.
            return self.create_new(new, workspace_id, links=self._directly())
        return self.create_new(new, workspace_id)

    def _directly(self) -> LinksTable:
        """The table of links, which creates them without transactions if it is in this process."""
        name = self.stores.links.name
        local = os.environ["AWS_ENDPOINT_URL_DYNAMODB"] == in_process_dynamodb.URL
        return LinksTable(DirectPuts(), name) if local else self.stores.links

    def create_new(
        self, new: list[NewLink], workspace_id: str | None = None, **more: Any
    ) -> list[Link]:
        """Create these links with the real service and with its other parameters."""
        from functions.services.create_links import create_links

        given = {"links": self.stores.links} | more
        return create_links(
            new, workspace_id=workspace_id or self.workspace_id, user_id="tester", **given
        )

    def last_deletion(self) -> Deletion:
        """The newest deletion of the workspace."""
        [deletion, *_], _ = self.stores.deletions.newest(self.workspace_id, limit=1, before=None)
        return deletion

    def own(self, table: str, before: str = "") -> list[dict[str, Any]]:
        """The items of a table whose key begins with the workspace, or with this before it."""
        key = before + self.workspace_id
        return [item for item in self.stored(table) if item["pk"]["S"].startswith(key)]

    def stored(self, table: str) -> Iterator[dict[str, Any]]:
        """Every item of a table, other tests' too: one call shows a megabyte of them at most."""
        client = aws.client("dynamodb")
        # botocore's own parser takes most of the time of a test that reads a table.
        client.meta.events.register(
            "before-parse.dynamodb.Scan", fast_json.read_plain, unique_id="plain-scan"
        )
        pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return (item for page in pages for item in page["Items"])

    def one_partition(self, link_id: str) -> bool:
        """Where a redirect that has read this link writes its click; True once it is erased."""
        link = self.stores.links.get(self.workspace_id, link_id)
        return link is None or link.one_partition

    def spread(self, link_id: str) -> None:
        """Make a link busy: its next clicks go to its shards."""
        from functions.repositories.click_totals import ClickTotals

        totals = ClickTotals(self.dynamodb, self.stores.links.name)
        assert totals.spread(self.workspace_id, link_id)

    def link(self, link_id: str) -> Link:
        """The stored link, live or not."""
        link = self.stores.links.get(self.workspace_id, link_id)
        assert link is not None
        return link

    def link_key(self, link_id: str) -> dict[str, Any]:
        """The key of a link's item."""
        return {"pk": {"S": f"{self.workspace_id}#{link_id}"}, "sk": {"S": "LINK"}}

    def deletion(self, deletion_id: str) -> Deletion:
        """The whole record of a deletion."""
        deletion = self.stores.deletions.load(self.workspace_id, deletion_id)
        assert deletion is not None
        return deletion

    def resume(self, deletion_id: str, stores: Stores | None = None) -> Deletion:
        """Run a worker on a deletion whose lease it can acquire."""
        from functions.services.run_deletion import resume

        done = resume(self.workspace_id, deletion_id, stores=stores or self.stores)
        assert done is not None
        return done

    def live(self, link_id: str, workspace_id: str | None = None) -> bool:
        link = self.stores.links.get(workspace_id or self.workspace_id, link_id)
        return link is not None and link.is_live

    def exists(self, link_id: str, workspace_id: str | None = None) -> bool:
        workspace_id = workspace_id or self.workspace_id
        return self.stores.links.get(workspace_id, link_id) is not None

    def live_ids(self, workspace_id: str | None = None) -> list[str]:
        """Ids in the index of live links, newest first."""
        return [
            link_id
            for _, link_id in self.stores.links.live_index.ids(
                workspace_id or self.workspace_id, after=None, page=1000
            )
        ]


@pytest.fixture
def world(deployed: dict[str, str]) -> World:
    return make_world(deployed)


def make_world(
    environment: dict[str, str], dynamodb: Any = None, workspace_id: str | None = None
) -> World:
    dynamodb = dynamodb or aws.client("dynamodb")
    queue = ListQueue()
    return World(
        stores=Stores(
            links=LinksTable(dynamodb, environment["LINKS_TABLE"]),
            deletions=DeletionsTable(dynamodb, environment["DELETIONS_TABLE"]),
            erasures=ErasuresTable(dynamodb, environment["DELETIONS_TABLE"]),
            resume_queue=queue,  # type: ignore[arg-type]
            slots=FilterSlots(dynamodb, environment["DELETIONS_TABLE"]),
            open_exports=OpenExports(dynamodb, environment["CLICKS_TABLE"]),
        ),
        access=AccessTable(dynamodb, environment["ACCESS_TABLE"]),
        clicks=ClicksTable(dynamodb, environment["CLICKS_TABLE"]),
        queue=queue,
        workspace_id=workspace_id or f"ws-{uuid.uuid4().hex[:12]}",
        dynamodb=dynamodb,
    )
