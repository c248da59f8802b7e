"""JSON of the API as dataclasses, by their annotations.

An unknown member is ignored, so that an older client works with a newer service. A missing member
gets the field's default, or raises.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from unlink_client.errors import UnexpectedResponse

T = TypeVar("T")


def camel(name: str) -> str:
    """A field's name as the API spells it: ``original_url`` is ``originalUrl``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


#: Read once for each class.
_FIELDS: dict[type[Any], dict[str, tuple[str, Any, bool]]] = {}


def fields_of(kind: type[Any]) -> dict[str, tuple[str, Any, bool]]:
    """The fields of a dataclass that JSON has: API name to (name, type, required).

    A field whose name begins with an underscore is the client's own.
    """
    if kind not in _FIELDS:
        hints = get_type_hints(kind)
        _FIELDS[kind] = {
            camel(each.name): (each.name, hints[each.name], _is_required(each))
            for each in dataclasses.fields(kind)
            if not each.name.startswith("_")
        }
    return _FIELDS[kind]


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def decode(kind: type[T], value: Any, where: str = "", **own: Any) -> T:
    """``value`` as the dataclass ``kind``; raises ``UnexpectedResponse`` where it does not fit.

    ``own`` are values for fields that JSON does not have.
    """
    where = where or kind.__name__
    if not isinstance(value, dict):
        raise UnexpectedResponse(f"{where} is not an object")
    arguments = dict(own)
    for given, (name, hint, required) in fields_of(kind).items():
        if given in value:
            arguments[name] = _convert(hint, value[given], f"{where}.{given}")
        elif required:
            raise UnexpectedResponse(f"{where}.{given} is missing")
    return kind(**arguments)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        options = get_args(hint)
        if value is None and type(None) in options:
            return None
        (hint,) = (each for each in options if each is not type(None))
        return _convert(hint, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise UnexpectedResponse(f"{where} is not an array")
        item = get_args(hint)[0]
        return tuple(_convert(item, each, f"{where}[{n}]") for n, each in enumerate(value))
    if origin is Literal:
        # A value of a newer service: a text like the others.
        hint = str
    if hint is datetime:
        return _moment(value, where)
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        hint = dict
    if dataclasses.is_dataclass(hint):
        return decode(cast("type[Any]", hint), value, where)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise UnexpectedResponse(f"{where} is not a {hint.__name__}")
    return value


def _moment(value: Any, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise UnexpectedResponse(f"{where} is not a timestamp") from None
    if moment.tzinfo is None:
        raise UnexpectedResponse(f"{where} has no UTC offset")
    return moment
