"""Round robin between workspaces, so that the work of one does not delay another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any, TypeVar

_Item = TypeVar("_Item")

_NONE: Any = object()


def take_turns(items: Iterable[_Item], workspace_of: Callable[[_Item], str]) -> list[_Item]:
    """The items round robin by workspace: the first of each, then the second of each, and so on.

    Workspaces come in the order of their first item, and the items of a workspace keep their order.
    """
    queues: dict[str, list[_Item]] = {}
    for item in items:
        queues.setdefault(workspace_of(item), []).append(item)
    rounds = zip_longest(*queues.values(), fillvalue=_NONE)
    return [item for turn in rounds for item in turn if item is not _NONE]
