"""What a run of a create draws for its links, and how it is undone: at random, or by a key."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from functions.aws.calls import TransactionCancelled
from functions.aws.codec import runs
from functions.aws.parallel import in_parallel
from functions.domain.clock import now_iso
from functions.domain.idempotency import IdempotencyKey
from functions.domain.ids import code_from, new_link_ids, new_short_code
from functions.domain.short_codes import is_reserved
from functions.repositories.create_runs import CreateRun, CreateRuns
from functions.repositories.link_states import LinkState
from functions.repositories.links import LinksTable

#: Links in one creating transaction: code, external id and link are 3 of its 100 actions, and one
#: is for the mark of a run with an Idempotency-Key.
LINKS_A_TRANSACTION = 33


class UnkeyedRun:
    """A create that comes once: all is drawn at random."""

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
        """Another code, because that of :meth:`code` is taken."""
        return self.code(place)

    def made_action(self, group: int) -> dict[str, Any] | None:
        """The action that goes with this creating transaction."""
        del group
        return None

    def undo(self, workspace_id: str, link_ids: Sequence[str], links: LinksTable) -> int | None:
        """Take back what was made of these links, and return how many existed.

        None when it is known that all were made, and none is taken back.
        """
        found = links.batches.states(workspace_id, link_ids)
        roll_back(workspace_id, list(found.values()), links)
        return len(found)


class KeyedRun:
    """A create with an Idempotency-Key: ids and codes follow from its run and its key.

    So a repetition can tell what the run has made, and answer with it, although nothing of the
    links is kept. As :class:`UnkeyedRun`.
    """

    def __init__(
        self, run: CreateRun, key: IdempotencyKey, workspace_id: str, table: CreateRuns
    ) -> None:
        self.created_at, self.user_id = run.created_at, run.user_id
        self._run, self._key, self._table = run, key, table
        self._workspace_id = workspace_id
        self._draws = dict(run.draws)
        #: Whether nothing of this run is left: it has written nothing, or all is undone.
        self.clean = True

    @property
    def record(self) -> CreateRun:
        """The run, with the codes that it has drawn again."""
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
        # Kept before it is used: whoever finds the link made must find its code too.
        times = self._draws.get(place, 0) + 1
        self._table.save_draw(self._workspace_id, self._key, self._run, place, times)
        self._draws[place] = times
        return self.code(place)

    def made_action(self, group: int) -> dict[str, Any] | None:
        self.clean = False
        return self._table.made_action(self._workspace_id, self._key, self._run, group)

    def undo(self, workspace_id: str, link_ids: Sequence[str], links: LinksTable) -> int | None:
        groups = list(range(-(-len(link_ids) // LINKS_A_TRANSACTION)))

        def bar(group: int) -> bool:
            return self._table.bar(workspace_id, self._key, self._run, group)

        made = in_parallel(bar, groups)
        if all(made):
            return None
        existed = 0
        if any(made):
            found = links.batches.states(workspace_id, link_ids).values()
            existed = len(found)
            # What was soft-deleted meanwhile belongs to that deletion.
            roll_back(workspace_id, [state for state in found if state.is_live], links)
        self.clean = True
        return existed

    def _digest(self, *parts: object) -> bytes:
        text = " ".join(str(part) for part in (self._run.id, *parts))
        return hashlib.sha256(f"{text} {self._key.key}".encode()).digest()


def roll_back(workspace_id: str, made: Sequence[LinkState], links: LinksTable) -> None:
    """Undo the transactions of a request that was refused halfway: all or none.

    Those too of which nobody knows whether they were applied, because their answers were lost.
    """

    def erase(group: Sequence[LinkState]) -> None:
        erasures = links.erasures
        actions = [each for state in group for each in erasures.actions(workspace_id, state)]
        try:
            erasures.apply(actions)
        except TransactionCancelled:
            # Somebody deleted one of them first.
            if len(group) > 1:
                for state in group:
                    erase([state])

    in_parallel(erase, list(runs(made, LINKS_A_TRANSACTION)))
