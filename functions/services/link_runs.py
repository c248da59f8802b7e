"""The ids and codes of the links of a create, random or derived from a key, and the rollback."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from functions.aws.calls import TransactionCancelled
from functions.aws.codec import runs
from functions.aws.parallel import in_parallel
from functions.domain.clock import now_iso
from functions.domain.code_release import CodeRelease
from functions.domain.ids import code_from, new_link_ids, new_short_code
from functions.domain.short_codes import is_reserved
from functions.repositories.create_runs import CreateRun, CreateRuns
from functions.repositories.link_states import LinkState
from functions.repositories.links import LinksTable

#: Links per transaction: code, external id and link are 3 of its 100 actions, and one is for the
#: record of a run with an Idempotency-Key.
LINKS_A_TRANSACTION = 33


#: The reservations that short codes had before a create (:meth:`LinkNames.code_claims`).
Claims = Mapping[str, CodeRelease | None]


class UnkeyedRun:
    """A create without an Idempotency-Key: ids and codes are random."""

    def __init__(self, user_id: str) -> None:
        self.created_at = now_iso()
        self.user_id = user_id

    def link_ids(self, count: int) -> list[str]:
        """Ids in ascending order, so that the last link is the newest in lists."""
        return new_link_ids(count)

    def code(self, place: int) -> str:
        """A code for the link at this position."""
        del place
        while is_reserved(code := new_short_code()):
            pass
        return code

    def draw_again(self, place: int) -> str:
        """Another code, because the one of :meth:`code` is taken."""
        return self.code(place)

    def made_action(self, group: int) -> dict[str, Any] | None:
        """The extra action of this creating transaction."""
        del group
        return None

    def undo(
        self, workspace_id: str, link_ids: Sequence[str], links: LinksTable, claims: Claims
    ) -> int | None:
        """Roll back these links, and return how many existed. Their codes get ``claims`` back."""
        found = links.batches.states(workspace_id, link_ids)
        roll_back(workspace_id, found.values(), links, claims)
        return len(found)


class KeyedRun:
    """A create with an Idempotency-Key: ids and codes are derived from its run and its key.

    So a retry knows what the run created, and can return it, although no data of the links is kept.
    Same methods as :class:`UnkeyedRun`.
    """

    def __init__(self, run: CreateRun, runs: CreateRuns) -> None:
        self.created_at, self.user_id = run.created_at, run.user_id
        self._run, self._runs = run, runs
        self._draws = dict(run.draws)
        #: Whether nothing of this run is left: it wrote nothing, or it was rolled back.
        self.clean = True

    @property
    def record(self) -> CreateRun:
        """The run, with the codes that were generated again."""
        return CreateRun(self._run.id, self.created_at, self.user_id, dict(self._draws))

    def link_ids(self, count: int) -> list[str]:
        ids = [uuid.UUID(bytes=self._digest("id", n)[:16], version=4) for n in range(count)]
        return sorted(str(each) for each in ids)

    def code(self, place: int) -> str:
        draw = 0
        times = self._draws.get(place, 0)
        while True:
            code = code_from(self._digest("code", place, draw))
            if not is_reserved(code):
                if times == 0:
                    return code
                times -= 1
            draw += 1

    def draw_again(self, place: int) -> str:
        # Recorded before it is used, so that a retry that finds the link also knows its code.
        times = self._draws.get(place, 0) + 1
        self._runs.save_draw(self._run, place, times)
        self._draws[place] = times
        return self.code(place)

    def made_action(self, group: int) -> dict[str, Any] | None:
        self.clean = False
        return self._runs.made_action(self._run, group)

    def undo(
        self, workspace_id: str, link_ids: Sequence[str], links: LinksTable, claims: Claims
    ) -> int | None:
        """As :meth:`UnkeyedRun.undo`, but None if every transaction was applied: then nothing is
        rolled back.
        """
        groups = range(-(-len(link_ids) // LINKS_A_TRANSACTION))
        applied = in_parallel(lambda group: self._runs.bar(self._run, group), groups)
        if all(applied):
            return None
        existed = 0
        if any(applied):
            found = links.batches.states(workspace_id, link_ids)
            existed = len(found)
            roll_back(workspace_id, found.values(), links, claims)
        self.clean = True
        return existed

    def _digest(self, *parts: object) -> bytes:
        text = " ".join(str(part) for part in (self._run.id, *parts))
        return hashlib.sha256(f"{text} {self._runs.key.key}".encode()).digest()


#: How often a link is rolled back again that another request changed after it was read.
_ATTEMPTS = 3


def roll_back(
    workspace_id: str, created: Iterable[LinkState], links: LinksTable, claims: Claims
) -> None:
    """Roll back the transactions of a request that was refused after some of them: all or none.

    Also those whose responses were lost, so that it is unknown whether they were applied. A link
    that was soft-deleted in the meantime stays: it belongs to that deletion.
    """

    def erase(group: Sequence[LinkState]) -> list[str]:
        """The ids that were refused."""
        erasures = links.erasures
        # The partitions of the clicks do not matter here: the stream passes them to the purge.
        states = [state._replace(one_partition=False) for state in group]
        actions = [
            each
            for state in states
            for each in erasures.actions(workspace_id, state, release=claims.get(state.short_code))
        ]
        try:
            erasures.apply(actions)
        except TransactionCancelled:
            if len(group) > 1:
                return [refused for state in group for refused in erase([state])]
            return [group[0].id]
        return []

    for _ in range(_ATTEMPTS):
        live = [state for state in created if state.is_live]
        if not live:
            return
        groups = in_parallel(erase, list(runs(live, LINKS_A_TRANSACTION)))
        refused = [link_id for group in groups for link_id in group]
        # Another request changed or deleted these since they were read.
        created = links.batches.states(workspace_id, refused).values()
