"""Types of the values in responses, with what the OpenAPI document says about them.

Only annotations and the generator of the document use them. A function that builds a response
imports its type under ``TYPE_CHECKING``, so that no cold start pays for it.
"""

from __future__ import annotations

from typing import Annotated, Any

from functions.domain.error_texts import NAMED_IDS


class JsonSchema:
    """Adds keywords to the JSON schema of an annotated type. pydantic calls it by its method."""

    def __init__(self, **keywords: Any) -> None:
        self._keywords = keywords

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core_schema), **self._keywords}


UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Uuid = Annotated[str, JsonSchema(format="uuid", pattern=UUID)]
TimeOrderedUuid = Annotated[
    str,
    JsonSchema(
        format="uuid", pattern=UUID, description="A version 7 UUID: its text sorts by time."
    ),
]
Time = Annotated[str, JsonSchema(format="date-time", description="UTC.")]
Date = Annotated[str, JsonSchema(format="date")]
Count = Annotated[int, JsonSchema(minimum=0)]
NamedIds = Annotated[list[str], JsonSchema(maxItems=NAMED_IDS)]
Cursor = Annotated[
    str | None,
    JsonSchema(description="Send it as `cursor` to get the next page; null on the last page."),
]
