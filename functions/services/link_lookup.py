"""Finds a link by id or short code. A separate module, because readers need no request models."""

from __future__ import annotations

from functions.domain.errors import LinkNotFound
from functions.domain.ids import parse_link_id
from functions.domain.link import Link
from functions.domain.short_codes import SHORT_CODE
from functions.repositories.links import LinksTable


def find_link(
    reference: str,
    *,
    workspace_id: str,
    links: LinksTable,
    deleted: bool = False,
) -> Link:
    """A live link of the workspace by id or short code, with ``deleted`` also a soft-deleted one;
    raises ``LinkNotFound``.
    """
    link_id = parse_link_id(reference)
    if link_id is None:
        if not SHORT_CODE.fullmatch(reference):
            raise LinkNotFound
        pointer = links.resolve_code(reference)
        if pointer is None or pointer[0] != workspace_id:
            raise LinkNotFound
        link_id = pointer[1]
    link = links.get(workspace_id, link_id)
    if link is None or not (deleted or link.is_live):
        raise LinkNotFound
    return link


def find_by_external_id(external_id: str, *, workspace_id: str, links: LinksTable) -> Link | None:
    """The live link of the workspace with this external id, if any."""
    link_id = links.names.resolve_external_id(workspace_id, external_id)
    link = links.get(workspace_id, link_id) if link_id else None
    return link if link is not None and link.is_live else None
