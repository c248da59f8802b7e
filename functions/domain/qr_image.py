"""QR codes in exact sizes, as PNG or SVG. segno makes the symbol.

The images are written here, because segno's writers scale by whole modules only and cannot give
exactly 512 pixels.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from functions.domain.errors import InvalidRequest
from functions.domain.query_params import parse_int_param

#: Pixels a side.
MIN_SIZE, DEFAULT_SIZE, MAX_SIZE = 128, 512, 2_048

#: Light modules that a scanner needs around the symbol (ISO/IEC 18004, "Quiet zone").
QUIET = 4

#: The minimum contrast ratio of the two colours (WCAG 2, "contrast ratio"), for scanners.
LEAST_CONTRAST = 3.0

MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml"}

#: Part of every variant's name. Increase it when a change here alters the pixels of an image.
_RENDERING = 1

COLOR = re.compile(r"#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})")


@dataclass(frozen=True, slots=True)
class Style:
    """How an image looks; colours are six lower-case hexadecimal digits."""

    format: str = "png"
    size: int = DEFAULT_SIZE
    color: str = "000000"
    bgcolor: str = "ffffff"

    @property
    def media_type(self) -> str:
        """The image's ``Content-Type``."""
        return MEDIA_TYPES[self.format]

    def variant(self, text: str) -> str:
        """A 64-bit name of ``text`` in this style; a link has at most eight of them."""
        identity = f"{_RENDERING}\0{self.format}\0{self.size}\0{self.color}\0{self.bgcolor}\0{text}"
        return f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.{self.format}"


def parse_style(query: Mapping[str, str]) -> Style:
    """The style from the query parameters; raises ``InvalidRequest``."""
    image_format = query.get("format", "png")
    if image_format not in MEDIA_TYPES:
        raise InvalidRequest("format must be png or svg")
    style = Style(
        format=image_format,
        size=parse_int_param(
            query.get("size"), "size", default=DEFAULT_SIZE, least=MIN_SIZE, maximum=MAX_SIZE
        ),
        color=_color("color", query.get("color", "000")),
        bgcolor=_color("bgcolor", query.get("bgcolor", "fff")),
    )
    if _contrast(style.color, style.bgcolor) < LEAST_CONTRAST:
        raise InvalidRequest("color and bgcolor are too alike to be scanned")
    return style


def render(text: str, style: Style) -> bytes:
    """The image of ``text``, ``style.size`` pixels a side, the quiet zone included."""
    # Imported here: the routes' errors and cached images need no symbol.
    import segno

    symbol = [list(row) for row in segno.make(text, micro=False, error="m").matrix]
    return _svg(symbol, style) if style.format == "svg" else _png(symbol, style)


def _color(name: str, text: str) -> str:
    match = COLOR.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"{name} must be three or six hexadecimal digits, as in 1a2b3c")
    digits = match[1].lower()
    return digits if len(digits) == 6 else "".join(2 * digit for digit in digits)


def _contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black and white): WCAG 2.2, "contrast ratio"."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _png(symbol: list[list[int]], style: Style) -> bytes:
    """One bit a pixel, two colours (PNG specification, 3rd edition, sections 5 and 11)."""
    size, modules = style.size, len(symbol)
    # Whole pixels per module keep the edges sharp; the rest widens the quiet zone.
    scale = size // (modules + 2 * QUIET)
    before = (size - modules * scale) // 2
    after = size - modules * scale - before
    # A scan line starts with its filter (0: none); its bits fill whole bytes.
    fill = -size % 8
    blank = bytes(1 + (size + fill) // 8)
    lines = [blank * before]
    for row in symbol:
        bits = "0" * before + "".join("01"[dark] * scale for dark in row) + "0" * (after + fill)
        lines.append((b"\0" + int(bits, 2).to_bytes(len(bits) // 8)) * scale)
    lines.append(blank * after)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 1, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes.fromhex(style.bgcolor + style.color)),
            _chunk(b"IDAT", zlib.compress(b"".join(lines), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _svg(symbol: list[list[int]], style: Style) -> bytes:
    """One path of horizontal runs, in units of a module."""
    side = len(symbol) + 2 * QUIET
    runs = []
    for y, row in enumerate(symbol):
        x = QUIET
        for dark, group in groupby(row):
            width = len(list(group))
            if dark:
                runs.append(f"M{x} {y + QUIET}h{width}v1h-{width}z")
            x += width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{style.size}" height="{style.size}" '
        f'viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<path fill="#{style.bgcolor}" d="M0 0h{side}v{side}H0z"/>'
        f'<path fill="#{style.color}" d="{"".join(runs)}"/></svg>\n'
    ).encode()
