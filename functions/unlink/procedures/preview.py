"""``dryRun``: what a deletion would do, without writing anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from functions.unlink.clock import Deadline
from functions.unlink.errors import NAMED_IDS
from functions.unlink.stores.links import LinksTable, LinkState


def preview(
    link_ids: Sequence[str],
    invalid_ids: Sequence[str],
    *,
    mode: str,
    workspace_id: str,
    links: LinksTable,
    deadline: Deadline,
) -> dict[str, Any]:
    """How many of these ids would be deleted, which not, and the clicks that hang on them."""
    states = links.states(workspace_id, link_ids, deadline=deadline)
    deletable = [
        link_id
        for link_id in link_ids
        if link_id in states and (states[link_id].live or mode == "erase")
    ]
    wanted = set(deletable)
    unknown = [link_id for link_id in link_ids if link_id not in wanted]
    return {
        "dryRun": True,
        "mode": mode,
        "counts": {
            "requested": len(link_ids) + len(invalid_ids),
            "deletable": len(deletable),
            "unknown": len(unknown),
            "invalid": len(invalid_ids),
        },
        **affected(states[link_id] for link_id in deletable),
        "unknownIds": unknown[:NAMED_IDS],
        "invalidIds": list(invalid_ids)[:NAMED_IDS],
    }


def affected(states: Iterable[LinkState]) -> dict[str, Any]:
    """``clicks`` that the links have together, and when the last of them came."""
    clicks, last = 0, None
    for state in states:
        clicks += state.click_count
        if state.last_click_at is not None and (last is None or state.last_click_at > last):
            last = state.last_click_at
    return {"clicks": clicks, "lastClickAt": last}
