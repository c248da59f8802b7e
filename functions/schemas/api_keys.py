"""What callers send to get an API key."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from functions.domain.click_fields import UNSAFE
from functions.domain.clock import iso_moment
from functions.domain.errors import InvalidRequest
from functions.domain.plans import SCOPES, Scope
from functions.schemas.links import Moment
from functions.schemas.request_model import RequestModel

#: No control characters, and not only spaces. A pattern that looks ahead would be shorter, but
#: the fuzz test takes 20 s of CPU to generate names from it.
_READABLE = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"


def _readable(name: str) -> str:
    """Operators list the keys of all workspaces, in a terminal."""
    if UNSAFE.search(name):
        raise ValueError("must have no control characters")
    if not name.strip():
        raise ValueError("must not be blank")
    return name


class NewApiKey(RequestModel):
    """The body of ``POST /api/keys``."""

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=100),
        AfterValidator(_readable),
        Field(json_schema_extra={"pattern": _READABLE}),
    ]
    """What the key is for."""
    scopes: Annotated[
        list[Scope],
        Field(min_length=1, max_length=len(SCOPES), json_schema_extra={"uniqueItems": True}),
    ]
    expiresAt: Moment | None = None

    @property
    def expires_at(self) -> str | None:
        """As records spell it."""
        return iso_moment(self.expiresAt) if self.expiresAt else None


def parse_new_api_key(body: object) -> NewApiKey:
    """Raises ``InvalidRequest`` with all errors."""
    new = NewApiKey.parse(body)
    if len(set(new.scopes)) < len(new.scopes):
        raise InvalidRequest(details=["scopes: each only once"])
    return new
