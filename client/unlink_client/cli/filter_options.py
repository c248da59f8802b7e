"""The options of a filter, for several commands."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Annotated, Any, cast

import typer

from unlink_client.filters import FilterArgs

_PANEL = "Filters (a link must match all of them)"
_AGO = re.compile(r"(\d{1,6})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def parse_moment(text: str) -> datetime:
    """``2026-12-31``, ``2026-12-31T23:59:59Z``, or ``90d``, ``12h``, ``30m`` ago.

    Without a UTC offset it is UTC.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is not a time: give 2026-12-31, 2026-12-31T23:59:59Z, or 90d, 12h, 30m ago"
        ) from None


def _option(help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=_PANEL, **more)


_OPTIONS: dict[str, Any] = {
    "tag": Annotated[str | None, _option("With this tag.")],
    "title": Annotated[str | None, _option("With this in the title.")],
    "is_active": Annotated[bool | None, _option("Switched on, or off.", "--active/--inactive")],
    "expired": Annotated[
        bool | None, _option("Past its expiry, or not.", "--expired/--not-expired")
    ],
    "created_before": Annotated[
        datetime | None,
        _option("Created before: a date, a time, or 90d ago.", parser=parse_moment, metavar="TIME"),
    ],
    "created_after": Annotated[
        datetime | None, _option("Created after.", parser=parse_moment, metavar="TIME")
    ],
    "min_clicks": Annotated[
        int | None, _option("With at least this many clicks.", min=0, metavar="N")
    ],
    "max_clicks": Annotated[
        int | None, _option("With at most this many clicks.", min=0, metavar="N")
    ],
    "external_id": Annotated[str | None, _option("With this id of yours.")],
}


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each condition; it receives those given as ``conditions``."""
    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.name != "conditions"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]

    @wraps(command)
    def wrapper(*arguments: Any, **values: Any) -> None:
        given = {name: values.pop(name) for name in _OPTIONS}
        found = {name: value for name, value in given.items() if value is not None}
        command(*arguments, conditions=cast("FilterArgs", found), **values)

    # Typer reads both; the signature of the wrapped command would have `conditions`.
    del wrapper.__wrapped__
    wrapper.__signature__ = signature.replace(parameters=own + options)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {each.name: each.annotation for each in own} | _OPTIONS
    return wrapper


def describe(conditions: FilterArgs) -> str:
    """The conditions as readable text."""
    words = []
    for name, value in conditions.items():
        shown = value.strftime("%Y-%m-%d %H:%M UTC") if isinstance(value, datetime) else value
        words.append(f"{name.replace('_', ' ')} {shown}")
    return ", ".join(words) or "every link"
