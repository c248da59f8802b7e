"""What operations are described with: parameters, headers, request bodies, responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from functions.domain import qr_image
from functions.domain.errors import UnlinkError
from functions.domain.json_types import UUID
from functions.domain.plans import MAX_IDS
from functions.schemas.new_deletion import NewDeletion

Schema = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One response: its body (a type, a union of types or a schema) and what goes with it.

    Without ``text`` the docstring of the body's type is the description. ``headers`` come on top
    of those that every response has.
    """

    body: Any = None
    text: str = ""
    media: Sequence[str] = ("application/json",)
    headers: Sequence[str] = ()
    links: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """What the code of a route does not say by itself.

    ``more`` is added to the endpoint's docstring. ``summary`` is for the routes of functions that
    have no :class:`~functions.api.app.Api`.
    """

    id: str
    tag: str
    responses: Mapping[int, Answer]
    errors: Sequence[type[UnlinkError]] = ()
    parameters: Sequence[Schema] = ()
    body: Schema | type[BaseModel] | None = None
    example: Any = None
    body_required: bool = True
    more: str = ""
    summary: str = ""


def reference(body: type) -> Schema:
    """A reference to the schema of a model or TypedDict."""
    return {"$ref": f"#/components/schemas/{body.__name__}"}


def plain(schema: Any) -> Any:
    """A schema without the titles that repeat each name, and with Markdown in its descriptions."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result: Schema = {}
    for key, value in schema.items():
        if key == "description" and isinstance(value, str):
            result[key] = " ".join(value.replace("``", "`").split())
        elif key == "properties":
            result[key] = {name: plain(each) for name, each in value.items()}
        elif key != "title" or not isinstance(value, str):
            result[key] = plain(value)
    return result


# -- parameters -------------------------------------------------------------------------------

EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"
OTHER_ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"


def parameter(name: str, schema: Schema, description: str, place: str = "query") -> Schema:
    """An optional parameter."""
    return {
        "name": name,
        "in": place,
        "required": False,
        "description": description,
        "schema": schema,
    }


def integer(minimum: int, maximum: int, default: int) -> Schema:
    """The schema of an integer parameter."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "default": default}


def page(maximum: int, default: int) -> list[Schema]:
    """The parameters of a list."""
    return [
        parameter("limit", integer(1, maximum, default), "Maximum number of entries in a page."),
        parameter("cursor", {"type": "string"}, "`nextCursor` of the previous page."),
    ]


def non_null(properties: dict[str, Schema]) -> dict[str, Schema]:
    """Optional members without null: a condition that is not wanted is left out."""
    return {
        name: next(each for each in member["anyOf"] if each != {"type": "null"})
        | {"description": member["description"]}
        for name, member in properties.items()
    }


def filter_parameters(fields: type[BaseModel]) -> list[Schema]:
    """A query parameter for each member of a filter's model."""
    members = non_null(plain(fields.model_json_schema()["properties"]))
    return [parameter(name, each, each.pop("description")) for name, each in members.items()]


REASON = parameter(
    "reason", {"type": "string", "maxLength": 500}, "Why. Kept with the deletion, not interpreted."
)
IDEMPOTENCY_KEY = parameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[ -~]{1,255}$"},
    "A repeated request with the same key changes nothing again.",
    "header",
)
IF_NONE_MATCH = parameter(
    "If-None-Match", {"type": "string"}, "`ETag` of an earlier response.", "header"
)
QR_IMAGE = [
    parameter(
        "format",
        {"type": "string", "enum": [*qr_image.MEDIA_TYPES], "default": "png"},
        "The image format.",
    ),
    parameter(
        "size",
        integer(qr_image.MIN_SIZE, qr_image.MAX_SIZE, qr_image.DEFAULT_SIZE),
        "Width and height in pixels, including the quiet zone; exact.",
    ),
    *(
        parameter(
            name,
            {
                "type": "string",
                "pattern": "^#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})$",
                "default": default,
            },
            f"The colour of the {part}. The contrast of the two colours must be at least "
            f"{qr_image.LEAST_CONTRAST:g} to 1.",
        )
        for name, default, part in (
            ("color", "000000", "code"),
            ("bgcolor", "ffffff", "background"),
        )
    ),
]

_LINK = (
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{4,36}$"},
    "The link's UUID (in any letter case) or its short code.",
    EXAMPLE_ID,
)
_UUID = {"type": "string", "pattern": "^[0-9A-Fa-f-]{36}$"}

#: By the path up to the parameter: schema, description, example.
PATH_PARAMETERS: dict[str, tuple[Schema, str, str]] = {
    "/api/links/{id}": _LINK,
    "/api/analytics/links/{id}": _LINK,
    "/api/analytics/links/{id}/export/{exportId}": (_UUID, "The export's id.", OTHER_ID),
    "/api/keys/{id}": (
        {"type": "string", "pattern": "^[A-Za-z0-9_:-]{1,100}$"},
        "The key's id.",
        "key-0192b3c4d5e6f7a8b9c0",
    ),
    "/api/deletions/{id}": (_UUID, "The deletion's id.", "01920b5e-7d4c-7000-8000-000000000000"),
    "/api/receipts/{id}": (
        _UUID,
        "The deletion's id.",
        "01920b5e-7d4c-7000-8000-000000000000",
    ),
    "/{code}": (
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{4,30}$"},
        "The short code; case-sensitive.",
        "spring",
    ),
    "/api/docs/{asset}": (
        {
            "type": "string",
            "pattern": "^(swagger-ui\\.js|swagger-ui\\.css|start\\.js|unlinkctl-.+\\.whl)$",
        },
        "The file's name.",
        "start.js",
    ),
    "/console/{asset}": (
        {"type": "string", "pattern": "^[a-z]+\\.(js|css|svg|txt)$"},
        "The file's name.",
        "console.js",
    ),
}

# -- request bodies ---------------------------------------------------------------------------

#: The limit of ids is the plan's; above this one every plan refuses.
LINK_IDS: Schema = {
    "type": "array",
    "items": {
        "type": "string",
        "description": "A link's UUID. Any other text is answered as an unknown id.",
    },
    "minItems": 1,
    "maxItems": MAX_IDS,
}
LINK_UUIDS = LINK_IDS | {
    "items": {
        "type": "string",
        "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
        "description": "A link's UUID, in any letter case.",
    }
}
#: Without the defaults that only say that a member was not given.
_DELETION_MEMBERS: dict[str, Schema] = {
    name: {
        key: value for key, value in schema.items() if key != "default" or value not in (None, "")
    }
    for name, schema in plain(NewDeletion.model_json_schema()["properties"]).items()
}


def new_deletion(required: str, *others: str, **members: Schema) -> Schema:
    """The body of ``POST /api/deletions`` with these members of its model, in these schemas."""
    wanted = (required, *others, "mode", "reason", "dryRun", "export")
    return closed_object(
        {name: members.get(name) or _DELETION_MEMBERS[name] for name in wanted},
        required=[required],
    )


def ids_and_reason(**more: Any) -> Schema:
    """``{"ids": […], "reason": …}``."""
    return closed_object({"ids": LINK_IDS, "reason": _DELETION_MEMBERS["reason"]}, **more)


def closed_object(properties: Schema, **more: Any) -> Schema:
    """An object with these members and no other."""
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


# -- headers ----------------------------------------------------------------------------------


def _header(description: str, kind: str = "string", **more: Any) -> Schema:
    return {"description": description, "schema": {"type": kind, **more}}


HEADERS: dict[str, Schema] = {
    "X-Request-Id": _header("Identifies this request in our logs.", minLength=1),
    "X-RateLimit-Limit": _header("Requests per minute for the key.", "integer", minimum=1),
    "X-RateLimit-Remaining": _header("Requests left in this minute.", "integer", minimum=0),
    "X-RateLimit-Reset": _header("When the minute ends, in Unix seconds.", "integer"),
    "RateLimit": _header(
        'The same in the IETF format: `"pro";r=999;t=60`.', pattern='^"[a-z]+";r=[0-9]+;t=[0-9]+$'
    ),
    "RateLimit-Policy": _header(
        'The limit of the plan: `"pro";q=1000;w=60`.', pattern='^"[a-z]+";q=[0-9]+;w=[0-9]+$'
    ),
    "Retry-After": _header("Seconds to wait.", "integer", minimum=0),
    "X-Deletion-Id": _header(
        "The deletion that this response is about, if there is one.", format="uuid", pattern=UUID
    ),
    "Location": _header("The destination, or where the created resource can be read."),
    "WWW-Authenticate": _header("The authentication scheme.", const="Bearer"),
    "ETag": _header("Changes with the content; send it as `If-None-Match`.", pattern='^"[^"]+"$'),
    "Cache-Control": _header("Who may cache the response, and for how long."),
}
RATE_HEADERS = tuple(name for name in HEADERS if "RateLimit" in name)
DELETION = ("X-Deletion-Id",)
PENDING = ("X-Deletion-Id", "Location")
CACHED = ("ETag", "Cache-Control")


def headers(names: Sequence[str]) -> Schema:
    """References to these headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in dict.fromkeys(names)}


# -- links between operations -----------------------------------------------------------------


def leads_to(operation: str, **parameters: str) -> dict[str, Schema]:
    """A link from a response to an operation; parameters as runtime expressions."""
    return {operation: {"operationId": operation, "parameters": parameters}}


def link_operations(expression: str) -> dict[str, Schema]:
    """The operations that take the id of a link from a response."""
    names = ("getLink", "updateLink", "getLinkQr", "deleteLink")
    return {key: each for name in names for key, each in leads_to(name, id=expression).items()}


TO_DELETION = leads_to("getDeletion", id="$response.header.X-Deletion-Id")
