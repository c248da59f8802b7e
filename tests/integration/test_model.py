"""The deletion engine against an in-memory model, with random operations of two workspaces."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from functions.domain.errors import (
    DeletionNotFound,
    InvalidIds,
    LinkNotFound,
    ShortCodeTaken,
)
from functions.domain.outcomes import Outcome
from functions.services.update_link import update_link
from tests.conftest import World, make_world
from tests.support.restores import bring_back

pytestmark = pytest.mark.exhaustive

#: Few, so that they conflict.
CODES = ("code-a", "code-b", "code-c", "code-d", "code-e", "code-f")


@dataclass
class ModelLink:
    """The model's state of a link, from which every response follows."""

    workspace: int
    code: str
    live: bool
    title: str | None = None
    deletion: str | None = None


class Deletions(RuleBasedStateMachine):
    """Two workspaces share one short-code space; each must see only its own links."""

    world: World
    links = Bundle("links")

    @initialize()
    def start(self) -> None:
        run = uuid.uuid4().hex[:10]
        self.workspaces = [f"ws-a-{run}", f"ws-b-{run}"]
        self.codes = [f"{code}-{run}" for code in CODES]
        self.model: dict[str, ModelLink] = {}
        self.reported: list[str] = []
        self.reserved: dict[str, int] = {}
        self.deletions: list[tuple[int, str, list[str]]] = []

    # -- operations -------------------------------------------------------------------------

    @rule(target=links, workspace=st.integers(0, 1), code=st.integers(0, len(CODES) - 1))
    def create(self, workspace: int, code: int) -> Any:
        wanted = self.codes[code]
        taken = any(link.code == wanted for link in self.model.values())
        # The code of an erased link is reserved for its workspace.
        taken = taken or self.reserved.get(wanted, workspace) != workspace
        try:
            [link] = self.world.create_items(1, self.workspaces[workspace], shortCode=wanted)
        except ShortCodeTaken:
            assert taken
            return multiple()
        assert not taken
        self.model[link.id] = ModelLink(workspace, wanted, live=True)
        self.reserved.pop(wanted, None)
        return link.id

    @rule(target=links, workspace=st.integers(0, 1), count=st.integers(1, 40))
    def create_many(self, workspace: int, count: int) -> Any:
        made = self.world.create_items(count, self.workspaces[workspace])
        for link in made:
            self.model[link.id] = ModelLink(workspace, link.short_code, live=True)
        return multiple(*[link.id for link in made])

    @rule(workspace=st.integers(0, 1), ids=st.lists(links, min_size=1, max_size=60, unique=True))
    def soft_delete(self, workspace: int, ids: list[str]) -> None:
        unknown = [i for i in ids if not self._live_in(workspace, i)]
        try:
            deletion = self.world.soft_delete(ids, workspace_id=self.workspaces[workspace])
        except InvalidIds as error:
            named = error.members["unknownIds"]
        else:
            named = []
        assert named == unknown[:100]
        if unknown:
            return
        assert deletion.ids_with(Outcome.DELETED) == ids
        for link_id in ids:
            self.model[link_id].live = False
            self.model[link_id].deletion = deletion.id
        self.deletions.append((workspace, deletion.id, ids))

    @rule(choice=st.integers(0, 9), foreign=st.booleans())
    def restore(self, choice: int, foreign: bool) -> None:
        """Undo one of the soft deletes, or try to as the other workspace."""
        if not self.deletions:
            return
        workspace, deletion_id, ids = self.deletions[choice % len(self.deletions)]
        asking = 1 - workspace if foreign else workspace
        try:
            asker = self.workspaces[asking]
            restored = bring_back(self.world, deletion_id, workspace_id=asker)
        except DeletionNotFound:
            assert foreign
            return
        assert not foreign
        expected = [i for i in ids if i in self.model and self.model[i].deletion == deletion_id]
        # Restored links are reported again: a restore is idempotent.
        live = [i for i in ids if i in self.model and self.model[i].live]
        assert restored.restored_ids == [i for i in ids if i in expected or i in live]
        again = {i for i in ids if i in self.model} - set(restored.restored_ids)
        assert {each["id"]: each["reason"] for each in restored.refused} == {
            i: "deletedAgain" if i in again else "erased"
            for i in ids
            if i not in restored.restored_ids
        }
        for link_id in expected:
            self.model[link_id].live = True
            self.model[link_id].deletion = None

    @rule(workspace=st.integers(0, 1), link=links, title=st.sampled_from(["one", "two"]))
    def update(self, workspace: int, link: str, title: str) -> None:
        try:
            updated = update_link(
                link,
                {"title": title},
                workspace_id=self.workspaces[workspace],
                links=self.world.stores.links,
            )
        except LinkNotFound:
            assert not self._live_in(workspace, link)
            return
        assert self._live_in(workspace, link)
        assert updated.title == title
        self.model[link].title = title

    @rule(workspace=st.integers(0, 1), link=links)
    def erase(self, workspace: int, link: str) -> None:
        try:
            self.world.erase_one(link, workspace_id=self.workspaces[workspace])
        except LinkNotFound:
            assert not self._live_in(workspace, link)
            return
        assert self._live_in(workspace, link)
        self._erased(link)

    @rule(workspace=st.integers(0, 1), ids=st.lists(links, min_size=1, max_size=60, unique=True))
    def erase_many(self, workspace: int, ids: list[str]) -> None:
        deletion = self.world.erase(ids, workspace_id=self.workspaces[workspace])
        expected = [i for i in ids if i in self.model and self.model[i].workspace == workspace]
        assert deletion.ids_with(Outcome.ERASED) == expected
        for link_id in expected:
            self._erased(link_id)

    @rule(link=consumes(links))
    def forget(self, link: str) -> None:
        """Keep the pool of ids changing, so that lists are not always the same links."""

    # -- what must always hold ----------------------------------------------------------------

    @invariant()
    def the_index_lists_exactly_the_live_links(self) -> None:
        for number, workspace in enumerate(getattr(self, "workspaces", [])):
            live = {i for i, link in self.model.items() if link.workspace == number and link.live}
            assert set(self.world.live_ids(workspace)) == live

    @invariant()
    def every_code_points_to_its_link_or_nowhere(self) -> None:
        for code in getattr(self, "codes", []):
            owner = [(i, link) for i, link in self.model.items() if link.code == code]
            pointer = self.world.stores.links.resolve_code(code)
            if not owner:
                assert pointer is None
            else:
                [(link_id, link)] = owner
                assert pointer == (self.workspaces[link.workspace], link_id)

    @invariant()
    def live_links_are_whole(self) -> None:
        for number, workspace in enumerate(getattr(self, "workspaces", [])):
            live = {i: x for i, x in self.model.items() if x.workspace == number and x.live}
            found = self.world.stores.links.get_many(workspace, list(live))
            assert {i: (x.short_code, x.title) for i, x in found.items()} == {
                i: (x.code, x.title) for i, x in live.items()
            }

    @invariant()
    def nothing_is_reported_erased_twice(self) -> None:
        reported = getattr(self, "reported", [])
        assert len(reported) == len(set(reported))

    def _live_in(self, workspace: int, link_id: str) -> bool:
        link = self.model.get(link_id)
        return link is not None and link.workspace == workspace and link.live

    def _erased(self, link_id: str) -> None:
        link = self.model.pop(link_id)
        self.reserved[link.code] = link.workspace
        self.reported.append(link_id)


def test_the_deletion_engine_agrees_with_the_model(deployed: dict[str, str]) -> None:
    Deletions.world = make_world(deployed)
    run_state_machine_as_test(
        Deletions,
        settings=settings(
            max_examples=int(os.environ.get("MODEL_EXAMPLES", "8")),
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
