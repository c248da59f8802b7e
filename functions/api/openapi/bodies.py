"""The request bodies by name, each with an example."""

from __future__ import annotations

from typing import Any, NamedTuple

from functions.api.openapi.schemas import Schema, plain, reference
from functions.domain.plans import MAX_IDS
from functions.schemas.api_keys import NewApiKey
from functions.schemas.filters import FilterFields
from functions.schemas.installs import NewInstall
from functions.schemas.links import MAX_CREATE, LinkChanges, NewLink
from functions.schemas.new_deletion import NewDeletion

LINK_ID = "550e8400-e29b-41d4-a716-446655440000"
OTHER_ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
DELETION_ID = "01920b5e-7d4c-7000-8000-000000000000"

_HEX = "[0-9A-Fa-f]"
_LINK_UUID = {
    "type": "string",
    "pattern": f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$",
    "description": "A link's UUID, in any letter case.",
}
_ANY_ID = {
    "type": "string",
    "description": "A link's UUID. Any other text is answered as an unknown id.",
}


def _array(items: Schema, maximum: int) -> Schema:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": maximum}


def _object(*names: str, **more: Schema) -> Schema:
    """An object with these members of ``NewDeletion``, and others."""
    properties = {name: _MEMBERS[name] for name in names} | more
    return {"type": "object", "properties": properties, "additionalProperties": False}


#: Without the defaults that only mean "not given".
_MEMBERS: dict[str, Schema] = {
    name: {key: each for key, each in schema.items() if key != "default" or each not in ("", None)}
    for name, schema in plain(NewDeletion.model_json_schema()["properties"]).items()
}
_OPTIONS = ("mode", "reason", "dryRun", "export")
_FILTER = reference(FilterFields) | {"minProperties": 1}
#: The limit of ids is the plan's; above this one every plan refuses.
_IDS = _array(_ANY_ID, MAX_IDS)

_LINK_UUIDS = _array(_LINK_UUID, MAX_IDS)
_NEW_LINKS = {"oneOf": [reference(NewLink), _array(reference(NewLink), MAX_CREATE)]}
_LINK_IDS = _object("reason", ids=_IDS)
_NEW_DELETION = {
    "oneOf": [
        _object(*_OPTIONS, ids=_IDS) | {"required": ["ids"]},
        _object(*_OPTIONS, "confirmationToken", filter=_FILTER) | {"required": ["filter"]},
    ]
}


class Body(NamedTuple):
    """A request body; ``example`` is one."""

    schema: Schema
    example: Any
    required: bool = True


_TWO = {"ids": [LINK_ID, OTHER_ID]}
_DELETE_ONE = {"ids": [LINK_ID], "mode": "soft", "reason": "The campaign is over"}
_SPRING = {"originalUrl": "https://example.com/spring", "tags": ["spring"]}

BODIES = {
    "NewApiKey": Body(reference(NewApiKey), {"name": "ci", "scopes": ["linksRead", "linksWrite"]}),
    "NewLinks": Body(_NEW_LINKS, _SPRING),
    "LinkChanges": Body(reference(LinkChanges), {"title": "Spring, extended", "expiresAt": None}),
    "NewInstall": Body(reference(NewInstall), {"linkId": LINK_ID, "platform": "iOS"}),
    "LinkUuids": Body(_LINK_UUIDS, [LINK_ID, OTHER_ID]),
    "LinkIds": Body(_LINK_IDS | {"required": ["ids"]}, _TWO),
    "NewDeletion": Body(_NEW_DELETION, _DELETE_ONE),
    "RestoredIds": Body(_LINK_IDS, {"ids": [LINK_ID]}, required=False),
}
