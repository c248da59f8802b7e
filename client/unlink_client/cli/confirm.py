"""Asks before something is deleted."""

from __future__ import annotations

from unlink_client.cli.exits import DECLINED, CommandError
from unlink_client.cli.terminal import ask


def confirm(
    count: int,
    *,
    erase: bool,
    clicks: int | None = None,
    given: int | None = None,
    yes: bool = False,
) -> None:
    """Return if the user confirms the delete of ``count`` links; else raises ``CommandError`` (3).

    ``given`` is the count of ``--confirm``, ``yes`` that of ``--yes``. For an erasure the user
    types the count, so that a habitual y does not erase.
    """
    if given is not None:
        if given != count:
            raise CommandError(
                f"--confirm {given} was given, but it is {links_in_words(count)}.",
                code=DECLINED,
                hint="Nothing was deleted.",
            )
        return
    if yes:
        return
    links = links_in_words(count)
    history = f" with {clicks:,} clicks" if clicks else ""
    if erase:
        typed = ask(f"Permanently erase {links}{history}? Type {count} to go ahead:")
        is_confirmed = typed.replace(",", "") == str(count)
    else:
        typed = ask(f"Move {links}{history} to the trash? [y/N]")
        is_confirmed = typed.lower() in ("y", "yes")
    if not is_confirmed:
        raise CommandError("Declined; nothing was deleted.", code=DECLINED)


def links_in_words(count: int) -> str:
    """``1 link``, ``2,000 links``."""
    return f"{count:,} {'link' if count == 1 else 'links'}"
