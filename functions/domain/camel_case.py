"""Names in the API and in stored items, from the names of fields here."""

from __future__ import annotations


def camel_case(name: str) -> str:
    """``short_code`` is ``shortCode``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
