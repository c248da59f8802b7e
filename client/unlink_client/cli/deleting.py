"""Runs a job: sends its chunks, and waits for background work of the service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from unlink_client.cli.exits import NOT_ALL, TRY_LATER, CommandError, command_error
from unlink_client.cli.jobs import Chunk, Job, Jobs
from unlink_client.cli.terminal import ProgressBar, progress_bar, say
from unlink_client.errors import (
    ConnectionFailed,
    DeletionFailed,
    InvalidIds,
    InvalidRequest,
    KeyReused,
    MissingScopes,
    PlanIsInvalid,
    PlanIsStale,
    RateLimited,
    StillRunning,
    Unauthenticated,
    Unavailable,
)
from unlink_client.models import Preview, PreviewCounts
from unlink_client.plans import Plan
from unlink_client.sync.client import Unlink
from unlink_client.sync.deletion import Deletion

#: Ids in one request: the API's limit.
CHUNK = 10_000

#: Temporary errors: the job is unchanged, and is continued later.
_PASSING = (ConnectionFailed, Unavailable, RateLimited, StillRunning)

_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended: its deletions, and why requests were refused."""

    deletions: tuple[Deletion, ...]
    refusals: tuple[str, ...]

    @property
    def not_all(self) -> bool:
        """Whether a requested id was not deleted or not found."""
        counts = [each.counts for each in self.deletions]
        return bool(self.refusals) or any(each.not_found or each.failed for each in counts)


def run_job(unlink: Unlink, jobs: Jobs, job: Job, *, until_complete: bool) -> Ended:
    """Send the chunks without a response, and wait for the rest.

    ``until_complete`` also waits for the receipts of an erasure. The caller finishes the job when
    it has written the result: until then a command that was killed can be repeated. Raises
    ``CommandError``, with a hint on how to resume if that helps.
    """
    try:
        return _Run(unlink, jobs, job.id, until_complete=until_complete).all()
    except (PlanIsStale, PlanIsInvalid, KeyReused):
        jobs.forget(job.id)
        raise
    except DeletionFailed:
        # Its record is closed: sending it again leads to the same one.
        jobs.finish(job.id)
        raise
    except _PASSING as error:
        ended = command_error(error)
        raise CommandError(ended.message, code=TRY_LATER, hint=_resume(job)) from error
    except (MissingScopes, Unauthenticated):
        if not any(chunk.sent and chunk.deletion for chunk in jobs.read(job.id).chunks):
            jobs.forget(job.id)
        raise
    except KeyboardInterrupt:
        _say_what_goes_on(jobs.read(job.id))
        raise


def _resume(job: Job) -> str:
    what = "apply the same plan" if job.plan else f"unlinkctl delete --resume {job.id}"
    return f"To continue where this stopped: {what}. Nothing is deleted or confirmed twice."


def _say_what_goes_on(job: Job) -> None:
    accepted = [chunk.deletion for chunk in job.chunks if chunk.deletion]
    if accepted:
        say(
            f"Interrupted. The service finishes what it has accepted: {', '.join(accepted)} "
            f"(unlinkctl deletions {accepted[-1]} --wait)"
        )
    if any(chunk.sent and not chunk.deletion for chunk in job.chunks):
        say("Interrupted before the last response came; the service may have accepted the request.")
    if not all(chunk.deletion or chunk.done for chunk in job.chunks):
        say(_resume(job))


class _Run:
    """One run over a job's chunks."""

    def __init__(self, unlink: Unlink, jobs: Jobs, job_id: str, *, until_complete: bool) -> None:
        self._unlink = unlink
        self._jobs = jobs
        self._job_id = job_id
        self._until_complete = until_complete
        self._deletions: dict[str, Deletion] = {}
        self._ids_done = 0

    def all(self) -> Ended:
        """Every chunk, in order."""
        job = self._jobs.read(self._job_id)
        verb = "Erasing" if job.erase else "Deleting"
        with progress_bar(verb, self._plan_count(job) or job.count) as bar:
            while True:
                job = self._jobs.read(self._job_id)
                waiting = [chunk for chunk in job.chunks if not chunk.done]
                if not waiting:
                    break
                self._chunk(job, waiting[0], bar)
        for chunk in job.chunks:
            # Its response came in an earlier run.
            if chunk.deletion and chunk.deletion not in self._deletions:
                self._deletions[chunk.deletion] = self._unlink.deletion(chunk.deletion)
        deletions = [
            self._deletions[chunk.deletion]
            for chunk in job.chunks
            if chunk.deletion in self._deletions
        ]
        refusals = tuple(chunk.refusal for chunk in job.chunks if chunk.refusal)
        return Ended(tuple(deletions), refusals)

    @staticmethod
    def _plan_count(job: Job) -> int:
        return Plan.loads(job.plan).count if job.plan else 0

    def _chunk(self, job: Job, chunk: Chunk, bar: ProgressBar) -> None:
        if chunk.deletion is None and chunk.key_may_be_forgotten and not job.plan:
            self._settle_forgotten(job, chunk)
            return
        if chunk.deletion is not None:
            deletion = self._unlink.deletion(chunk.deletion)
        else:
            self._jobs.sending(chunk.key)
            try:
                deletion = self._send(job, chunk)
            except InvalidIds as error:
                ended = command_error(error)
                self._jobs.done(chunk.key, f"not deleted ({len(chunk.ids):,}): {ended.message}")
                return
            except InvalidRequest as error:
                if job.plan or not error.limit or error.limit >= len(chunk.ids):
                    self._jobs.forget(job.id)
                    raise
                # The plan of the workspace allows fewer ids; nothing was written.
                self._jobs.split(job, error.limit)
                return
            self._jobs.answered(chunk.key, deletion.id)
        try:
            deletion = self._wait(deletion, bar)
        except MissingScopes:
            say(f"Accepted as {deletion.id}; the key may not read how far it is (linksRead).")
        self._deletions[deletion.id] = deletion
        self._jobs.done(chunk.key)
        self._ids_done += deletion.counts.requested
        bar.show(self._ids_done)

    def _send(self, job: Job, chunk: Chunk) -> Deletion:
        if job.plan:
            plan = Plan.loads(job.plan)
            return self._unlink.apply(plan, reason=job.reason, export=job.export)
        return self._unlink.delete(
            chunk.ids,
            erase=job.erase,
            reason=job.reason,
            export=job.export,
            idempotency_key=chunk.key,
        )

    def _settle_forgotten(self, job: Job, chunk: Chunk) -> None:
        """A request without a response, so old that the service may have removed its key."""
        preview = preview_all(self._unlink, [chunk.ids], erase=job.erase)
        if preview.counts.deletable:
            self._jobs.renew(chunk.key)
        else:
            self._jobs.done(chunk.key)

    def _wait(self, deletion: Deletion, bar: ProgressBar) -> Deletion:
        """Wait until every id has its outcome, or until the deletion is complete; returns it."""
        announced = False
        while deletion.is_open and (self._until_complete or _is_under_way(deletion)):
            counts = deletion.counts
            if not announced:
                say(f"Accepted as {deletion.id}; the service finishes it without this command.")
                announced = True
            bar.show(self._ids_done + counts.requested - counts.pending, _phase(deletion))
            time.sleep(_POLL_SECONDS)
            try:
                deletion = deletion.refresh()
            except _PASSING as error:
                say(f"{error}; still waiting")
        if deletion.state == "failed":
            raise DeletionFailed(
                deletion.failure or "The deletion failed; nothing was deleted",
                deletion_id=deletion.id,
            )
        return deletion


def preview_all(unlink: Unlink, parts: Sequence[Sequence[str]], *, erase: bool) -> Preview:
    """The preview of all parts together; smaller ones if the workspace's plan allows fewer ids."""
    waiting, found = [list(part) for part in parts], []
    while waiting:
        part = waiting.pop(0)
        try:
            found.append(unlink.preview(part, erase=erase))
        except InvalidRequest as error:
            size = error.limit
            if not size or size >= len(part):
                raise
            ids = [link_id for each in (part, *waiting) for link_id in each]
            waiting = [ids[start : start + size] for start in range(0, len(ids), size)]
    last = [each.last_click_at for each in found if each.last_click_at is not None]
    return Preview(
        dry_run=True,
        mode=found[0].mode,
        counts=PreviewCounts(
            requested=sum(each.counts.requested for each in found),
            deletable=sum(each.counts.deletable for each in found),
            unknown=sum(each.counts.unknown for each in found),
            invalid=sum(each.counts.invalid for each in found),
        ),
        clicks=sum(each.clicks for each in found),
        last_click_at=max(last) if last else None,
        unknown_ids=tuple(name for each in found for name in each.unknown_ids),
        invalid_ids=tuple(name for each in found for name in each.invalid_ids),
    )


def _is_under_way(deletion: Deletion) -> bool:
    """Whether ids have no outcome yet. The links of `erasing` are already invisible."""
    return deletion.counts.pending > 0 or deletion.state in ("accepted", "exporting", "deleting")


def _phase(deletion: Deletion) -> str:
    return {
        "accepted": "Waiting for a worker",
        "exporting": "Writing the export",
        "erasing": "Removing clicks and images",
    }.get(deletion.state, "Deleting")


def raise_if_not_all(ended: Ended) -> None:
    """Exit with the code for ids that were not deleted."""
    if not ended.not_all:
        return
    missing = sum(each.counts.not_found for each in ended.deletions)
    failed = sum(each.counts.failed for each in ended.deletions)
    parts = list(ended.refusals)
    if missing:
        parts.append(f"not links of the workspace: {missing:,}")
    if failed:
        parts.append(f"could not be deleted: {failed:,}")
    raise CommandError("; ".join(parts), code=NOT_ALL)
