"""App installs, attributed to a link by a click."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from functions.domain.clock import CLOCK_SKEW, iso, iso_moment, now_iso
from functions.domain.errors import Conflict, InvalidRequest, LinkNotFound, NotFound, Unavailable
from functions.domain.idempotency import IdempotencyKey, IdempotencyRecord, KeyTaken
from functions.domain.ids import parse_click_id
from functions.repositories.idempotency import IdempotencyTable
from functions.repositories.installs import InstallsTable
from functions.repositories.links import LinksTable
from functions.services.link_lookup import find_link

if TYPE_CHECKING:
    from functions.schemas.analytics_responses import Install
    from functions.schemas.installs import NewInstall

#: Attribution window in days: an install belongs to the last click in the window before it.
ATTRIBUTION_DAYS = 7
_WINDOW = ATTRIBUTION_DAYS * 24 * 3600


def record_install(
    new: NewInstall,
    *,
    workspace_id: str,
    key: IdempotencyKey | None,
    keys: IdempotencyTable,
    links: LinksTable,
    installs: InstallsTable,
) -> Install:
    """Attribute an install to a live link of the workspace and count it on its day.

    By click: the click must be within the attribution window before the install. By link: the last
    click of the link within the window gets it. Raises ``LinkNotFound``, ``NotFound`` (no such
    click), ``Conflict`` (outside the window), ``KeyReused``.
    """
    reference = new.linkId
    of_click = parse_click_id(new.clickId) if new.clickId is not None else None
    if of_click is not None:
        reference = reference or of_click[0]
    link = find_link(reference or "", workspace_id=workspace_id, links=links)
    if of_click is not None and of_click[0] != link.id:
        raise InvalidRequest(details=["clickId: a click of another link"])
    now = now_iso()
    installed_at = _installed_at(new, now)
    click_id = new.clickId
    if click_id is not None and of_click is not None:
        clicked_at = iso(of_click[1] / 1000)
        if not installs.has_click(link, click_id, clicked_at):
            raise NotFound("Click not found")
        in_time = _since(installed_at) <= clicked_at <= _until(installed_at)
    else:
        click_id = installs.last_click(link, _since(installed_at), _until(installed_at))
        in_time = click_id is not None
    if not in_time:
        raise Conflict(f"No click within {ATTRIBUTION_DAYS} days before the install")
    install: Install = {
        "id": str(uuid.uuid4()),
        "linkId": link.id,
        "clickId": click_id,
        "platform": new.platform,
        "deviceId": new.deviceId,
        "appVersion": new.appVersion,
        "installedAt": installed_at,
        "createdAt": now,
    }
    claim = None
    if key is not None:
        details = {"installId": install["id"], "linkId": link.id, "createdAt": now}
        claim = keys.claim_action(workspace_id, key, details)
    try:
        if not installs.record(workspace_id, install, claim=claim):
            raise LinkNotFound
    except KeyTaken:
        earlier = keys.find(workspace_id, key) if key else None
        if earlier is None:
            # The key expired just now, so nothing was recorded: try again.
            raise Unavailable from None
        return recorded_install(new, earlier, installs=installs)
    return install


def recorded_install(
    new: NewInstall, record: IdempotencyRecord, *, installs: InstallsTable
) -> Install:
    """The install of a used key, as it was first answered, from the same request.

    A click that the request did not name was found by attribution. After an erasure of the link it
    is unknown, and ``clickId`` is None.
    """
    details = record.details
    installed_at = _installed_at(new, details["createdAt"])
    click_id = new.clickId
    if click_id is None:
        install = installs.get(details["linkId"], installed_at, details["installId"])
        click_id = install["clickId"] if install is not None else None
    return {
        "id": details["installId"],
        "linkId": details["linkId"],
        "clickId": click_id,
        "platform": new.platform,
        "deviceId": new.deviceId,
        "appVersion": new.appVersion,
        "installedAt": installed_at,
        "createdAt": details["createdAt"],
    }


def _installed_at(new: NewInstall, now: str) -> str:
    return now if new.installedAt is None else iso_moment(new.installedAt)


def _since(installed_at: str) -> str:
    return iso(datetime.fromisoformat(installed_at).timestamp() - _WINDOW)


def _until(installed_at: str) -> str:
    return iso(datetime.fromisoformat(installed_at).timestamp() + CLOCK_SKEW)
