"""What each service works with, built from the container.

Handlers and routes pass these to services. Like the container, each function imports at its call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions import container
from functions.config import setting

if TYPE_CHECKING:
    from functions.repositories.failed_records import FailuresBucket
    from functions.services.deletion import Stores
    from functions.services.expired_links import EraseStores
    from functions.services.export_lines import ExportStores
    from functions.services.export_runs import ExportJobs
    from functions.services.link_stream import CleanupStores
    from functions.services.restore import RestoreStores


def deletion_stores() -> Stores:
    """For requests, which leave exports to the worker."""
    from functions.services.deletion import Stores

    return Stores(
        links=container.links(),
        deletions=container.deletions(),
        erasures=container.erasures(),
        resume_queue=container.resume_queue(),
        slots=container.filter_slots(),
        open_exports=container.open_exports(),
    )


def deletion_worker_stores() -> Stores:
    """For workers, which also write exports."""
    from dataclasses import replace

    return replace(deletion_stores(), exports=export_stores())


def restore_stores() -> RestoreStores:
    from functions.services.restore import RestoreStores

    return RestoreStores(
        links=container.links(),
        deletions=container.deletions(),
        erasures=container.erasures(),
        restores=container.restores(),
    )


def export_stores() -> ExportStores:
    from functions.aws.client import client
    from functions.repositories.exports import ExportsBucket
    from functions.services.export_lines import ExportStores

    # A part of 16 MB takes longer than a DynamoDB call.
    bucket = ExportsBucket(client("s3", read_timeout=15), setting("EXPORTS_BUCKET"))
    return ExportStores(links=container.links(), clicks=container.clicks(), bucket=bucket)


def export_jobs() -> ExportJobs:
    from functions.services.export_runs import ExportJobs

    return ExportJobs(
        records=container.export_records(),
        opened=container.open_exports(),
        queue=container.export_queue(),
        stores=export_stores(),
        deliveries=int(setting("EXPORT_DELIVERIES")),
    )


def erase_stores() -> EraseStores:
    from functions.services.expired_links import EraseStores

    return EraseStores(
        links=container.links(),
        clicks=container.clicks(),
        deletions=container.deletions(),
        erasures=container.erasures(),
        images=container.qr_images(),
        exports=container.exports_bucket(),
        events=container.event_bus(),
        erase_queue=container.erase_queue(),
    )


def cleanup_stores(event: dict[str, Any], context: Any) -> CleanupStores:
    from functions.services.link_stream import CleanupStores

    return CleanupStores(
        counts=container.link_counts(),
        erasures=container.erasures(),
        images=container.qr_images(),
        events=container.event_bus(),
        failures=failed_records(event, context),
        erase_queue=container.erase_queue(),
    )


def failed_records(event: dict[str, Any], context: Any) -> FailuresBucket | None:
    """Where a stream function puts what it cannot process; None when that is what it replays."""
    from functions.aws.client import client
    from functions.repositories.failed_records import FailuresBucket

    if event.get("replayed"):
        return None
    return FailuresBucket(
        client("s3"), setting("FAILURES_BUCKET"), function=context.invoked_function_arn
    )
