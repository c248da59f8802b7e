"""The options by which a workspace's policies are set."""

from __future__ import annotations

import argparse

from functions.domain.click_retention import DEFAULT_CLICK_RETENTION_DAYS
from functions.domain.policies import DEFAULT_UNDO_MINUTES


def add_policies(parser: argparse.ArgumentParser) -> None:
    """Add one option for each policy; one that is not given is left out of the result."""
    policies = parser.add_argument_group("policies", argument_default=argparse.SUPPRESS)
    policies.add_argument(
        "--retention-days",
        type=_days,
        metavar="N|never",
        help="erase soft-deleted links after N days (default: never)",
    )
    policies.add_argument(
        "--purge-expired-after-days",
        type=_days,
        metavar="N|never",
        help="erase links N days after they expired (default: never)",
    )
    policies.add_argument(
        "--quarantine-days",
        type=int,
        metavar="N",
        help="keep the short code of an erased link taken for N days (default: 0)",
    )
    policies.add_argument(
        "--code-reservation-days",
        type=int,
        metavar="N",
        help="keep it from other workspaces for N days (default: 90; 0 frees it for all at once)",
    )
    policies.add_argument(
        "--cascade-installs",
        type=_switch,
        metavar="on|off",
        help="erase installs with their link instead of keeping them without its id (default: off)",
    )
    policies.add_argument(
        "--link-events",
        type=_switch,
        metavar="on|off",
        help="also send an event for each link (default: off)",
    )
    policies.add_argument(
        "--click-retention-days",
        type=_days,
        metavar="N|never",
        help="remove clicks after N days; counts stay. Links get it when they are created or next "
        f"changed (default: {DEFAULT_CLICK_RETENTION_DAYS})",
    )
    policies.add_argument(
        "--undo-minutes",
        type=int,
        metavar="N",
        help="let the one who soft-deleted links undo that for N minutes (default: "
        f"{DEFAULT_UNDO_MINUTES}; 0 turns it off)",
    )
    policies.add_argument(
        "--app-schemes",
        type=lambda text: () if text == "none" else tuple(text.split(",")),
        metavar="A,B|none",
        help="schemes that iosUrl and androidUrl may have besides http and https, as in "
        "myapp,intent,market (default: none)",
    )


def _days(text: str) -> int | None:
    if text == "never":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number of days nor never"
        ) from None


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError("on or off")
    return text == "on"
