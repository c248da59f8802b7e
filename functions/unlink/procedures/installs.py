"""App installs: attributed to a link by the click that led to them."""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic import StringConstraints as Text

from functions.unlink.clock import Deadline, iso, iso_moment, now_iso
from functions.unlink.errors import (
    Conflict,
    InvalidRequest,
    KeyReused,
    LinkNotFound,
    NotFound,
    Unavailable,
)
from functions.unlink.ids import parse_click_id
from functions.unlink.model import Moment, faults_of
from functions.unlink.procedures.find import find_link
from functions.unlink.stores.deletions import IdempotencyKey
from functions.unlink.stores.installs import InstallsTable
from functions.unlink.stores.links import LinksTable

#: An install belongs to the last click at most this many days before it.
ATTRIBUTION_DAYS = 7
_WINDOW = ATTRIBUTION_DAYS * 24 * 3600

#: Seconds that a device's clock may be ahead of ours.
CLOCK_SKEW = 300


class NewInstall(BaseModel):
    """The body of ``POST /api/installs``: a link (id or short code), a click, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    linkId: Annotated[str, Text(min_length=4, max_length=36)] | None = None
    clickId: Annotated[str, Text(min_length=43, max_length=43)] | None = None
    platform: Literal["iOS", "Android", "other"] = "other"
    deviceId: Annotated[str, Text(min_length=1, max_length=200)] | None = None
    appVersion: Annotated[str, Text(min_length=1, max_length=100)] | None = None
    installedAt: Moment | None = None


def parse_new_install(body: object) -> NewInstall:
    """Raises ``InvalidRequest`` with every fault."""
    try:
        install = NewInstall.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(details=faults_of(error)) from None
    if install.linkId is None and install.clickId is None:
        raise InvalidRequest(details=["linkId: an install needs a linkId or a clickId"])
    if install.clickId is not None and parse_click_id(install.clickId) is None:
        raise InvalidRequest(details=["clickId: not the id of a click"])
    if (
        install.installedAt is not None
        and install.installedAt.timestamp() > time.time() + CLOCK_SKEW
    ):
        raise InvalidRequest(details=["installedAt: in the future"])
    return install


def record_install(
    new: NewInstall,
    *,
    workspace_id: str,
    key: IdempotencyKey | None,
    links: LinksTable,
    installs: InstallsTable,
    deadline: Deadline,
) -> dict[str, Any]:
    """Attribute an install to a live link of the workspace and count it on its day.

    By click: the click must have come within the attribution window before the install. By link:
    so must some click of the link, and the last of them gets it. Raises ``LinkNotFound``,
    ``NotFound`` (no such click), ``Conflict`` (outside the window), ``KeyReused``.
    """
    reference = new.linkId
    of_click = parse_click_id(new.clickId) if new.clickId is not None else None
    if of_click is not None:
        reference = reference or of_click[0]
    link = find_link(reference or "", workspace_id=workspace_id, links=links, deadline=deadline)
    if of_click is not None and of_click[0] != link["id"]:
        raise InvalidRequest(details=["clickId: a click of another link"])
    if key is not None:
        earlier = installs.earlier(link["id"], key, deadline=deadline)
        if earlier is not None:
            return _replay(earlier, key)
    installed_at = _installed_at(new.installedAt)
    click_id = new.clickId
    if click_id is not None and of_click is not None:
        clicked_at = iso(of_click[1] / 1000)
        if not installs.has_click(link["id"], click_id, clicked_at, deadline=deadline):
            raise NotFound("Click not found")
        in_time = _since(installed_at) <= clicked_at <= _until(installed_at)
    else:
        click_id = installs.last_click(
            link["id"], _since(installed_at), _until(installed_at), deadline=deadline
        )
        in_time = click_id is not None
    if not in_time:
        raise Conflict(f"No click within {ATTRIBUTION_DAYS} days before the install")
    install = {
        "id": str(uuid.uuid4()),
        "linkId": link["id"],
        "clickId": click_id,
        "platform": new.platform,
        "deviceId": new.deviceId,
        "appVersion": new.appVersion,
        "installedAt": installed_at,
        "createdAt": now_iso(),
    }
    obstacle = installs.record(workspace_id, install, key=key, deadline=deadline)
    if obstacle == "link":
        raise LinkNotFound
    if obstacle == "key" and key is not None:
        earlier = installs.earlier(link["id"], key, deadline=deadline)
        if earlier is None:
            # It expired just now, so nothing was recorded: another try will be.
            raise Unavailable
        return _replay(earlier, key)
    return install


def _replay(earlier: dict[str, Any], key: IdempotencyKey) -> dict[str, Any]:
    if earlier["requestHash"] != key.request_hash:
        raise KeyReused
    return {name: earlier["install"].get(name) for name in INSTALL_FIELDS}


#: The members of an install in an answer.
INSTALL_FIELDS = (
    "id",
    "linkId",
    "clickId",
    "platform",
    "deviceId",
    "appVersion",
    "installedAt",
    "createdAt",
)


def _installed_at(given: datetime | None) -> str:
    return now_iso() if given is None else iso_moment(given)


def _since(installed_at: str) -> str:
    return iso(datetime.fromisoformat(installed_at).timestamp() - _WINDOW)


def _until(installed_at: str) -> str:
    return iso(datetime.fromisoformat(installed_at).timestamp() + CLOCK_SKEW)
