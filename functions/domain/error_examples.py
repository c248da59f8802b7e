"""An example of each error, for the OpenAPI document and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from functions.domain import errors
from functions.domain.errors import UnlinkError

LINK_ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
DELETION_ID = "01920b5e-7d4c-7000-8000-000000000000"

_TAKEN: Any = {"shortCode": "spring", "takenBy": "trash", "linkId": LINK_ID}
_CODE_TAKEN = errors.ShortCodeTaken(["spring"])
_CODE_TAKEN.members["taken"] = [_TAKEN | {"deletionId": DELETION_ID}]
_WAITING = "The limit of a workspace's deletions by filter that wait for their links is 1"
_WITH_MEMBERS = (
    errors.InvalidRequest(details=["originalUrl: only http and https URLs"]),
    errors.InvalidIds(invalid=["not-a-uuid"], unknown=[LINK_ID]),
    errors.MissingScopes(["linksWrite"]),
    errors.Conflict("externalId is already in use", takenExternalIds=["crm-17"]),
    _CODE_TAKEN,
    errors.MethodNotAllowed(("GET", "HEAD", "OPTIONS")),
    errors.RateLimited(17, reset=0),
    errors.LimitReached(_WAITING, limit=1, retry_after=60),
)


def _tree(error: type[UnlinkError]) -> Iterator[Any]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


#: An instance of each error, with the members that it may have.
EXAMPLES: dict[type[UnlinkError], UnlinkError] = {type(each): each for each in _WITH_MEMBERS}
EXAMPLES |= {error: error() for error in _tree(UnlinkError) if error not in EXAMPLES}
