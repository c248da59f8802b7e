"""Changing a link."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from functions.domain.clock import current_deadline, later_than
from functions.domain.errors import InvalidRequest, LinkNotFound, Unavailable
from functions.domain.link import DESTINATIONS, Link, grace_end
from functions.domain.policies import DEFAULT_POLICIES, Policies
from functions.repositories.links import ExternalIdTaken, LinksTable
from functions.services.create_links import external_id_taken
from functions.services.link_destinations import length_faults, loop_faults
from functions.services.link_lookup import find_link


def update_link(
    reference: str,
    changes: dict[str, Any],
    *,
    workspace_id: str,
    own_hosts: Collection[tuple[str, int]] = (),
    links: LinksTable,
    policies: Policies = DEFAULT_POLICIES,
) -> Link:
    """Change some fields of a live link, by the names of the API; returns the changed link.

    None clears a field. Only the given fields are written, and only while the link is live:
    concurrent updates of other fields keep theirs, and no update brings a deleted link back.
    Raises ``LinkNotFound``, ``InvalidRequest`` (a loop to ourselves), ``Conflict`` (the external
    id is taken).
    """
    urls = {name: url for name in DESTINATIONS if (url := changes.get(name))}
    if loops := loop_faults(urls, own_hosts):
        raise InvalidRequest(details=loops)
    link = find_link(reference, workspace_id=workspace_id, links=links)
    affected = DESTINATIONS if "utmParameters" in changes else urls
    if too_long := length_faults(link.with_changes(changes), affected):
        raise InvalidRequest(details=too_long)
    changes = changes | policies.of_clicks()
    while not current_deadline().passed:
        if "expiresAt" in changes:
            # Also a repeated `expiresAt`, in a request with every field, leaves the link its grace.
            changes |= policies.of_a_purge(
                changes["expiresAt"], not_before=grace_end(link.fencing_token)
            )
        changes["updatedAt"] = later_than(link.updated_at)
        if "externalId" not in changes or changes["externalId"] == link.external_id:
            # An unchanged external id is not written: another request may be changing it, and
            # then its own item would not follow.
            other_changes = {name: value for name, value in changes.items() if name != "externalId"}
            updated = links.update(workspace_id, link.id, other_changes)
            if updated is not None:
                return updated
            moved = False
        else:
            try:
                moved = links.update_external_id(link, changes)
            except ExternalIdTaken:
                raise external_id_taken([changes["externalId"]]) from None
        # The response to a transaction has no attributes. After a refusal the link was deleted,
        # or changed by another request.
        found = links.get(workspace_id, link.id)
        if found is None or not found.is_live:
            if moved:
                # Changed, and deleted immediately after that.
                return link.with_changes(changes)
            raise LinkNotFound
        if moved:
            return found
        link = found
    raise Unavailable
