"""The composition root: repositories, queues and buckets, built from the function's environment.

One function for each, named after what it holds. It imports and builds at the first call, once per
process, so a cold start pays only for what its route uses. Handlers and routes get everything from
here and from ``service_stores``; services and repositories take it as arguments. Tests replace a
function of this module.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.config import optional_setting, setting

if TYPE_CHECKING:
    from functions.aws.events import EventBus
    from functions.aws.s3 import Bucket
    from functions.aws.sqs import Queue
    from functions.domain.idempotency import IdempotencyKey
    from functions.repositories.access import AccessTable
    from functions.repositories.api_keys import ApiKeysTable
    from functions.repositories.click_totals import ClickTotals
    from functions.repositories.clicks import ClicksTable
    from functions.repositories.create_runs import CreateRuns
    from functions.repositories.deletions import DeletionsTable
    from functions.repositories.erasures import ErasuresTable
    from functions.repositories.exports import ExportRecords, ExportsBucket
    from functions.repositories.filter_slots import FilterSlots
    from functions.repositories.idempotency import IdempotencyTable
    from functions.repositories.installs import InstallsTable
    from functions.repositories.link_counts import LinkCounts
    from functions.repositories.links import LinksTable
    from functions.repositories.open_exports import OpenExports
    from functions.repositories.receipts import ReceiptsTable
    from functions.repositories.restores import RestoresTable
    from functions.repositories.rollups import RollupsTable
    from functions.repositories.trash_records import TrashRecords
    from functions.services.receipts import ReceiptSigner
    from functions.services.sessions import SessionPool


def _client(service: str) -> Any:
    from functions.aws.client import client

    return client(service)


def _dynamodb() -> Any:
    return _client("dynamodb")


# -- the access table ---------------------------------------------------------------------------


@cache
def access() -> AccessTable:
    from functions.repositories.access import AccessTable

    return AccessTable(_dynamodb(), setting("ACCESS_TABLE"))


@cache
def api_keys() -> ApiKeysTable:
    from functions.repositories.api_keys import ApiKeysTable

    return ApiKeysTable(_dynamodb(), setting("ACCESS_TABLE"))


# -- the links table ----------------------------------------------------------------------------


@cache
def links() -> LinksTable:
    from functions.repositories.links import LinksTable

    return LinksTable(_dynamodb(), setting("LINKS_TABLE"))


@cache
def link_counts() -> LinkCounts:
    from functions.repositories.link_counts import LinkCounts

    return LinkCounts(_dynamodb(), setting("LINKS_TABLE"))


# -- the deletions table ------------------------------------------------------------------------


@cache
def deletions() -> DeletionsTable:
    from functions.repositories.deletions import DeletionsTable

    return DeletionsTable(_dynamodb(), setting("DELETIONS_TABLE"))


@cache
def restores() -> RestoresTable:
    from functions.repositories.restores import RestoresTable

    return RestoresTable(_dynamodb(), setting("DELETIONS_TABLE"))


@cache
def erasures() -> ErasuresTable:
    from functions.repositories.erasures import ErasuresTable

    signed = optional_setting("SIGN_RECEIPTS") == "true"
    return ErasuresTable(_dynamodb(), setting("DELETIONS_TABLE"), sign_receipts=signed)


@cache
def receipts() -> ReceiptsTable:
    from functions.repositories.receipts import ReceiptsTable

    return ReceiptsTable(_dynamodb(), setting("DELETIONS_TABLE"))


@cache
def receipt_signer() -> ReceiptSigner:
    from functions.aws.kms import SigningKey
    from functions.services.receipts import ReceiptSigner

    key = SigningKey(_client("kms"), setting("RECEIPT_KEY_ID"))
    return ReceiptSigner(key, receipts(), api_url())


@cache
def filter_slots() -> FilterSlots:
    from functions.repositories.filter_slots import FilterSlots

    return FilterSlots(_dynamodb(), setting("DELETIONS_TABLE"))


@cache
def idempotency() -> IdempotencyTable:
    from functions.repositories.idempotency import IdempotencyTable

    return IdempotencyTable(_dynamodb(), setting("DELETIONS_TABLE"))


@cache
def trash_records() -> TrashRecords:
    from functions.repositories.trash_records import TrashRecords

    return TrashRecords(_dynamodb(), setting("DELETIONS_TABLE"))


def create_runs(workspace_id: str, key: IdempotencyKey) -> CreateRuns:
    from functions.repositories.create_runs import CreateRuns

    return CreateRuns(_dynamodb(), setting("DELETIONS_TABLE"), workspace_id, key)


# -- the clicks table ---------------------------------------------------------------------------


@cache
def clicks() -> ClicksTable:
    from functions.repositories.clicks import ClicksTable

    return ClicksTable(_dynamodb(), setting("CLICKS_TABLE"))


@cache
def open_exports() -> OpenExports:
    from functions.repositories.open_exports import OpenExports

    return OpenExports(_dynamodb(), setting("CLICKS_TABLE"))


@cache
def rollups() -> RollupsTable:
    from functions.repositories.rollups import RollupsTable

    return RollupsTable(_dynamodb(), clicks=setting("CLICKS_TABLE"), links=setting("LINKS_TABLE"))


@cache
def installs() -> InstallsTable:
    from functions.repositories.installs import InstallsTable

    return InstallsTable(_dynamodb(), clicks=setting("CLICKS_TABLE"), links=setting("LINKS_TABLE"))


@cache
def export_records() -> ExportRecords:
    from functions.repositories.exports import ExportRecords

    return ExportRecords(_dynamodb(), clicks=setting("CLICKS_TABLE"), links=setting("LINKS_TABLE"))


# -- low latency: the redirect and the authorizer -----------------------------------------------


def low_latency_dynamodb() -> Any:
    """A client with short timeouts, for functions whose caller waits for the response."""
    from functions.aws.client import low_latency_client

    return low_latency_client("dynamodb")


@cache
def low_latency_access() -> AccessTable:
    from functions.repositories.access import AccessTable

    return AccessTable(low_latency_dynamodb(), setting("ACCESS_TABLE"))


@cache
def low_latency_links() -> LinksTable:
    from functions.repositories.links import LinksTable

    return LinksTable(low_latency_dynamodb(), setting("LINKS_TABLE"))


@cache
def low_latency_click_totals() -> ClickTotals:
    from functions.repositories.click_totals import ClickTotals

    return ClickTotals(low_latency_dynamodb(), setting("LINKS_TABLE"))


@cache
def low_latency_clicks() -> ClicksTable:
    from functions.repositories.clicks import ClicksTable

    return ClicksTable(low_latency_dynamodb(), setting("CLICKS_TABLE"))


def warm_up(*factories: Callable[[], object]) -> None:
    """On Lambda, call these functions of this module before the first request.

    Lambda gives a function more CPU during its import than its size has later, according to
    published measurements (AWS does not document it).
    """
    if optional_setting("AWS_LAMBDA_FUNCTION_NAME"):
        for make in factories:
            make()


# -- buckets, queues and the event bus ----------------------------------------------------------


@cache
def exports_bucket() -> ExportsBucket:
    from functions.repositories.exports import ExportsBucket

    return ExportsBucket(_client("s3"), setting("EXPORTS_BUCKET"))


@cache
def qr_images() -> Bucket:
    from functions.aws.s3 import Bucket

    return Bucket(_client("s3"), setting("QR_BUCKET"))


def resume_queue() -> Queue:
    return _queue("RESUME_QUEUE_URL")


def erase_queue() -> Queue:
    return _queue("ERASE_QUEUE_URL")


def export_queue() -> Queue:
    return _queue("EXPORT_QUEUE_URL")


@cache
def _queue(url: str) -> Queue:
    from functions.aws.sqs import Queue

    return Queue(_client("sqs"), setting(url))


@cache
def event_bus() -> EventBus:
    from functions.aws.events import EventBus

    return EventBus(_client("events"), setting("EVENT_BUS"))


# -- secrets and settings -----------------------------------------------------------------------


def cursor_secret() -> bytes:
    """The secret that signs cursors and confirmation tokens."""
    return _secret("CURSOR_SECRET_ARN")


def visitor_secret() -> bytes:
    """The secret of the visitor hashes."""
    return _secret("VISITOR_SECRET_ARN")


def _secret(name: str) -> bytes:
    from functions.aws.secrets import secret

    return secret(setting(name))


def origin_secret() -> str:
    """What CloudFront sends to show that a request came through it; "" without a distribution."""
    return optional_setting("ORIGIN_SECRET")


def cors_origins() -> str:
    """The origins that browsers may call from, with commas between them; ``*`` for all."""
    return optional_setting("CORS_ALLOW_ORIGINS", "*")


def sign_in_url() -> str:
    """Where users sign in; "" for API keys only. The emulator serves it at its own address."""
    configured = optional_setting("SIGN_IN_URL")
    return optional_setting("AWS_ENDPOINT_URL", configured) if configured else ""


def sign_in_client() -> str:
    """The id of the console's app client."""
    return optional_setting("SIGN_IN_CLIENT_ID")


def home_url() -> str:
    """Where ``/`` leads; "" for the page of an unknown link."""
    return optional_setting("HOME_URL")


def api_url() -> str:
    """Where the API is, without a slash at its end."""
    return setting("API_URL").rstrip("/")


@cache
def session_pool() -> SessionPool:
    from functions.services.sessions import SessionPool, SigningKeys

    issuer, clients = setting("SESSION_ISSUER"), setting("SESSION_CLIENT_IDS").split()
    return SessionPool(issuer, frozenset(clients), SigningKeys(issuer))


def reset() -> None:
    """Forget what was built, for tests."""
    for value in list(globals().values()):
        if hasattr(value, "cache_clear"):
            value.cache_clear()
