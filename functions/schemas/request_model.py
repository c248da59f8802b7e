"""The base class of the models of requests, and what is wrong with a request in words."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from functions.domain.error_texts import MAX_FAULTS, shortened
from functions.domain.errors import InvalidRequest

#: Characters of a member's name in an error.
MAX_MEMBER_NAME = 50


class RequestModel(BaseModel):
    """What a caller sends. Unknown members are errors, and nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @classmethod
    def parse(cls, body: object, context: dict[str, Any] | None = None) -> Self:
        """The validated body; raises ``InvalidRequest`` with all errors."""
        try:
            return cls.model_validate(body, context=context)
        except ValidationError as error:
            raise InvalidRequest(details=format_validation_errors(error)) from None


def _without_null(schema: dict[str, Any]) -> None:
    for member in schema["properties"].values():
        given, _null = member.pop("anyOf")
        member.update(given)


class Conditions(RequestModel):
    """Members that narrow a list or a delete. What is not wanted is left out, so none is null."""

    model_config = ConfigDict(json_schema_extra=_without_null)


def format_validation_errors(error: ValidationError, prefix: str = "") -> list[str]:
    """``field: error``, at most 20; without the value, and long names are shortened.

    ``prefix`` is the place of the validated object in the body, with a trailing dot.
    """
    faults = []
    every = error.errors(include_url=False, include_input=False, include_context=False)
    for fault in every[:MAX_FAULTS]:
        where = ".".join(shortened(str(part), MAX_MEMBER_NAME) for part in fault["loc"])
        # Messages of the project's checks are complete; pydantic's need no class names.
        said = fault["msg"].removeprefix("Value error, ")
        if fault["type"] in ("model_type", "model_attributes_type"):
            said = "must be an object"
        elif fault["type"] == "extra_forbidden":
            said = "unknown member"
        faults.append(f"{(prefix + where).rstrip('.') or 'body'}: {said}")
    return faults
