"""What callers send to record an install."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from pydantic import StringConstraints as Text

from functions.domain.clock import CLOCK_SKEW
from functions.domain.errors import InvalidRequest
from functions.domain.ids import parse_click_id
from functions.schemas.links import Moment
from functions.schemas.request_model import RequestModel


class NewInstall(RequestModel):
    """The body of ``POST /api/installs``: a link (id or short code), a click, or both."""

    linkId: Annotated[str, Text(min_length=4, max_length=36)] | None = None
    clickId: Annotated[str, Text(min_length=43, max_length=43)] | None = None
    platform: Literal["iOS", "Android", "other"] = "other"
    deviceId: Annotated[str, Text(min_length=1, max_length=200)] | None = None
    appVersion: Annotated[str, Text(min_length=1, max_length=100)] | None = None
    installedAt: Moment | None = None


def parse_new_install(body: object) -> NewInstall:
    """Raises ``InvalidRequest`` with all errors."""
    install = NewInstall.parse(body)
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
