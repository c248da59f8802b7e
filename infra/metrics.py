"""The names of the functions' own metrics, from the one file that the functions read too."""

import json
from pathlib import Path
from typing import Any

_DEFINITIONS: dict[str, Any] = json.loads(
    Path(__file__)
    .resolve()
    .parent.parent.joinpath("functions", "metrics.json")
    .read_text(encoding="utf-8")
)

NAMESPACE: str = _DEFINITIONS["namespace"]


def own_metric(name: str, *, stage: str) -> tuple[str, str, dict[str, str]]:
    """Namespace, name and dimensions of one of the functions' metrics; an unknown name raises."""
    if name not in _DEFINITIONS["metrics"]:
        raise KeyError(f"metrics.json knows no {name}")
    return NAMESPACE, name, {"service": _DEFINITIONS["service"], "stage": stage}
