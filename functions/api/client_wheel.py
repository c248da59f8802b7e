"""The wheel of the command `unlinkctl`: the one that belongs to this deployment.

`infra/client_wheel.py` builds it when the functions are packaged.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from functions.api.static_content import REVALIDATED, content_response

DIRECTORY = Path(__file__).parent.parent / "client"


def client_wheel(event: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The wheel, or None when it has another name.

    An installer reads version and tags from the name, so there is one name for each version.
    """
    content = _wheels().get(name)
    if content is None:
        return None
    # A wheel is compressed, and its hash is that of the bytes as they are.
    return content_response(
        event, content, "application/octet-stream", REVALIDATED, compressible=False
    )


@cache
def _wheels() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in DIRECTORY.glob("*.whl")}
