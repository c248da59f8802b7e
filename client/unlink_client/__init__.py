"""A Python client of Unlink, a link service whose deletes are durable and provable.

:class:`Unlink` waits for each answer, :class:`AsyncUnlink` is the same for asyncio.
"""

from __future__ import annotations

from unlink_client.aio.client import AsyncUnlink
from unlink_client.aio.deletion import AsyncDeletion
from unlink_client.calls import UNSET, Unset
from unlink_client.errors import (
    ApiError,
    BodyTooLarge,
    CodeTaken,
    Conflict,
    ConnectionFailed,
    DeletionFailed,
    InvalidIds,
    InvalidRequest,
    InvalidSettings,
    KeyReused,
    MethodNotAllowed,
    MissingScopes,
    NotFound,
    PlanIsInvalid,
    PlanIsStale,
    RateLimited,
    ReceiptIsInvalid,
    ServerError,
    StillRunning,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    UnlinkError,
    WaitTimeout,
)
from unlink_client.filters import FilterArgs, LinkFilter
from unlink_client.models import (
    Analytics,
    DeletedLinks,
    DeletionRecord,
    DeletionResult,
    DeletionSummary,
    ErasedLinks,
    Export,
    Install,
    Link,
    LinkPage,
    NewLink,
    Preview,
    RestoredLinks,
    UtmParameters,
    WrittenLink,
)
from unlink_client.plans import Plan
from unlink_client.retries import Retries, Wait
from unlink_client.sync.client import Unlink
from unlink_client.sync.deletion import Deletion
from unlink_client.version import __version__

__all__ = [
    "UNSET",
    "Analytics",
    "ApiError",
    "AsyncDeletion",
    "AsyncUnlink",
    "BodyTooLarge",
    "CodeTaken",
    "Conflict",
    "ConnectionFailed",
    "DeletedLinks",
    "Deletion",
    "DeletionFailed",
    "DeletionRecord",
    "DeletionResult",
    "DeletionSummary",
    "ErasedLinks",
    "Export",
    "FilterArgs",
    "Install",
    "InvalidIds",
    "InvalidRequest",
    "InvalidSettings",
    "KeyReused",
    "Link",
    "LinkFilter",
    "LinkPage",
    "MethodNotAllowed",
    "MissingScopes",
    "NewLink",
    "NotFound",
    "Plan",
    "PlanIsInvalid",
    "PlanIsStale",
    "Preview",
    "RateLimited",
    "ReceiptIsInvalid",
    "RestoredLinks",
    "Retries",
    "ServerError",
    "StillRunning",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Unlink",
    "UnlinkError",
    "Unset",
    "UtmParameters",
    "Wait",
    "WaitTimeout",
    "WrittenLink",
    "__version__",
]
