"""How the command prints its results."""

from __future__ import annotations

from typing import Any

from admin.commands import Record
from functions.domain.click_fields import UNSAFE


def as_text(result: Any) -> str:
    """A record as lines of names and values; records are separated by an empty line."""
    records = result if isinstance(result, list) else [result]
    if not records:
        return "(none)\n"
    return "\n".join(_record_text(record) for record in records)


def _record_text(record: Record) -> str:
    rows: list[tuple[str, str]] = []
    for name, value in record.items():
        if isinstance(value, dict):
            rows += [(f"{name}.{inner}", _value_text(each)) for inner, each in value.items()]
        else:
            rows.append((name, _value_text(value)))
    width = max(len(name) for name, _ in rows)
    lines = "".join(f"{name:<{width}}  {value}\n" for name, value in rows)
    if "secret" in record:
        lines += "Keep the secret now: it is not stored and cannot be shown again.\n"
    return lines


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_value_text(each) for each in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    # Names of keys and e-mail addresses come from others, and are shown in an operator's terminal.
    return "-" if value is None else UNSAFE.sub("\ufffd", str(value))
