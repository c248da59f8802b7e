"""The half of the faults that works within the emulator's process.

`local/emulator_process.py` imports this package by the name of its directory, so it imports
nothing of this project but itself.
"""

from __future__ import annotations

from typing import Any


def extend(application: Any) -> Any:
    """The emulator's ASGI application with faults, which `POST /_faults` begins and pauses."""
    # Tests import the other modules of this package where MiniStack is not installed.
    from .control import Control

    return Control(application)
