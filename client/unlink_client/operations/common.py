"""Shared by the operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from unlink_client.calls import Response, json_of
from unlink_client.decoding import camel, decode
from unlink_client.errors import UnexpectedResponse
from unlink_client.filters import query_text

T = TypeVar("T")


def reader(kind: type[T]) -> Callable[[Response], T]:
    """Reads the body of a response as a dataclass."""
    return lambda response: decode(kind, json_of(response))


def object_of(response: Response) -> dict[str, Any]:
    """The body of a response as a JSON object."""
    value = json_of(response)
    if not isinstance(value, dict):
        raise UnexpectedResponse("The response is not an object")
    return value


def query_of(**values: object) -> dict[str, str]:
    """Query parameters in the API's spelling; None is left out."""
    return {camel(name): query_text(value) for name, value in values.items() if value is not None}
