"""Asks before something is deleted."""

from __future__ import annotations

from unlink_client.cli.exits import DECLINED, CommandError
from unlink_client.cli.output import counted
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
                f"--confirm {given} was given, but it is {counted(count, 'link')}.",
                code=DECLINED,
                hint="Nothing was deleted.",
            )
        return
    if yes:
        return
    links = counted(count, "link")
    history = f" with {counted(clicks, 'click')}" if clicks else ""
    if erase:
        typed = ask(f"Permanently erase {links}{history}? Type {count} to go ahead:")
        is_confirmed = typed.replace(",", "") == str(count)
    else:
        typed = ask(f"Move {links}{history} to the trash? [y/N]")
        is_confirmed = typed.lower() in ("y", "yes")
    if not is_confirmed:
        raise CommandError("Declined; nothing was deleted.", code=DECLINED)
