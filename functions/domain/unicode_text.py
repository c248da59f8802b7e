"""Text from people: one stored form, and caseless comparison."""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import normalize

_DOTTED_I = re.compile("i\u0307+")


def nfc(text: str) -> str:
    """``text`` in Unicode Normalization Form C: one form for texts that look the same."""
    return normalize("NFC", text)


def fold(text: str) -> str:
    """``text`` for caseless searches.

    The compatibility caseless matching of Unicode (section 3.13, definition D146): ``ß`` is ``ss``,
    full-width letters are letters. The dot that case folding leaves behind the ``i`` of ``İ`` is
    removed, so that ``istanbul`` finds ``İSTANBUL``. The dotless ``ı`` stays a separate letter,
    as Unicode has it outside of Turkic languages. Accents count: ``cafe`` does not find ``café``.
    """
    if text.isascii():
        return text.lower()
    folded = normalize("NFKC", normalize("NFD", text).casefold()).casefold()
    return normalize("NFKC", _DOTTED_I.sub("i", normalize("NFKD", folded)))


@lru_cache(maxsize=16)
def folded_needle(text: str) -> str:
    """As :func:`fold`, cached, for the text of a filter, which is compared with many links."""
    return fold(text)
