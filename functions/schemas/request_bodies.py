"""The bodies of requests by name, for the OpenAPI document.

The functions check lists of ids without these types, because pydantic takes long to import.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import Field, StringConstraints, create_model
from pydantic.json_schema import SkipJsonSchema

from functions.domain.plans import MAX_IDS
from functions.schemas.api_keys import NewApiKey
from functions.schemas.filters import FilterFields
from functions.schemas.installs import NewInstall
from functions.schemas.links import MAX_CREATE, LinkChanges, NewLink
from functions.schemas.new_deletion import NewDeletion, Reason
from functions.schemas.request_model import RequestModel

LinkUuid = Annotated[
    str,
    StringConstraints(pattern="^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"),
    Field(description="A link's UUID, in any letter case."),
]
AnyId = Annotated[
    str, Field(description="A link's UUID. Any other text is answered as an unknown id.")
]
#: The limit of ids is the plan's; above this one every plan refuses.
Ids = Annotated[list[AnyId], Field(min_length=1, max_length=MAX_IDS)]
LinkUuids = Annotated[list[LinkUuid], Field(min_length=1, max_length=MAX_IDS)]
ManyLinks = Annotated[list[NewLink], Field(min_length=1, max_length=MAX_CREATE)]


class LinkReason(RequestModel):
    """Why a link is erased; ``?reason=`` is the same."""

    reason: Reason | None = None


class LinkIds(RequestModel):
    """Links to erase."""

    ids: Ids
    reason: Reason | None = None


class RestoredIds(RequestModel):
    """Links of a deletion to restore; without ``ids``, all of them."""

    ids: Ids | SkipJsonSchema[None] = None
    reason: Reason | None = None


Filter = Annotated[FilterFields, Field(json_schema_extra={"minProperties": 1})]

#: The members of ``NewDeletion``, which checks both forms of the body.
_DELETION: dict[str, Any] = {
    name: (field.annotation, field) for name, field in NewDeletion.model_fields.items()
}
_OPTIONS = {name: _DELETION[name] for name in ("mode", "reason", "dryRun", "export")}
DeletionByIds = create_model(
    "DeletionByIds",
    __base__=RequestModel,
    __doc__="A deletion of these links.",
    **_OPTIONS,
    ids=Ids,
)
DeletionByFilter = create_model(
    "DeletionByFilter",
    __base__=RequestModel,
    __doc__="A deletion of the links that match.",
    **_OPTIONS,
    filter=Filter,
    confirmationToken=_DELETION["confirmationToken"],
)


class Body(NamedTuple):
    """The type of a body, and an example."""

    type: Any
    example: Any
    required: bool = True


_LINK_ID = "550e8400-e29b-41d4-a716-446655440000"
_LINK_IDS = [_LINK_ID, "6ba7b810-9dad-41d1-80b4-00c04fd430c8"]

BODIES = {
    "NewApiKey": Body(NewApiKey, {"name": "ci", "scopes": ["linksRead", "linksWrite"]}),
    "NewLinks": Body(
        NewLink | ManyLinks, {"originalUrl": "https://example.com/spring", "tags": ["spring"]}
    ),
    "LinkChanges": Body(LinkChanges, {"title": "Spring, extended", "expiresAt": None}),
    "NewInstall": Body(NewInstall, {"linkId": _LINK_ID, "platform": "iOS"}),
    "LinkUuids": Body(LinkUuids, _LINK_IDS),
    "LinkReason": Body(LinkReason, {"reason": "The campaign is over"}, required=False),
    "LinkIds": Body(LinkIds, {"ids": _LINK_IDS}),
    "NewDeletion": Body(
        DeletionByIds | DeletionByFilter,
        {"ids": [_LINK_ID], "mode": "soft", "reason": "The campaign is over"},
    ),
    "RestoredIds": Body(RestoredIds, {"ids": [_LINK_ID]}, required=False),
}
