"""The request bodies without a model in the code: ids, and deletions."""

from __future__ import annotations

from functions.api.openapi.schemas import Schema, plain, reference
from functions.domain.plans import MAX_IDS
from functions.schemas.filters import FilterFields
from functions.schemas.links import MAX_CREATE, NewLink
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

LINK_UUIDS = _array(_LINK_UUID, MAX_IDS)
IDS = _object("reason", ids=_IDS)
NEW_DELETION = {
    "oneOf": [
        _object(*_OPTIONS, ids=_IDS) | {"required": ["ids"]},
        _object(*_OPTIONS, "confirmationToken", filter=_FILTER) | {"required": ["filter"]},
    ]
}
NEW_LINKS = {"oneOf": [reference(NewLink), _array(reference(NewLink), MAX_CREATE)]}
