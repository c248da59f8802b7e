"""Creating links, all of a request or none."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from functions.aws.calls import may_still_apply
from functions.aws.parallel import in_parallel
from functions.domain.clock import current_deadline, shutdown_deadline
from functions.domain.error_texts import MAX_FAULTS
from functions.domain.errors import (
    Conflict,
    InvalidRequest,
    ShortCodeTaken,
    Unavailable,
    UnlinkError,
)
from functions.domain.link import DESTINATIONS, FIELDS, Link
from functions.domain.policies import DEFAULT_POLICIES, Policies
from functions.powertools import Logger
from functions.repositories.link_counts import Quota
from functions.repositories.links import LinksTable
from functions.services.link_destinations import destinations_of, length_faults, loop_faults
from functions.services.link_runs import LINKS_A_TRANSACTION, KeyedRun, UnkeyedRun

if TYPE_CHECKING:
    from functions.schemas.links import NewLink

#: Seconds to undo a refused request and to record its response, even after its deadline.
SHUTDOWN_SECONDS = 1.5

#: How often another short code is generated before giving up.
MAX_DRAWS = 5

log = Logger()


def create_links(
    new: list[NewLink],
    *,
    workspace_id: str,
    user_id: str,
    own_hosts: Collection[tuple[str, int]] = (),
    links: LinksTable,
    policies: Policies = DEFAULT_POLICIES,
    run: UnkeyedRun | KeyedRun | None = None,
    check: Callable[[list[Link]], None] | None = None,
    quota: Quota | None = None,
) -> list[Link]:
    """Create all of these links or none; returns them in the same order.

    All have the same ``created_at``. ``own_hosts`` are the hosts and ports of this service, to
    which no link may lead. ``run`` draws ids, codes and the time. ``check`` may refuse the links
    before anything is written. ``quota`` counts them, and refuses more than the workspace may have.

    A code is claimed in the same transaction as its link, so two links never share one. Raises
    ``ShortCodeTaken`` or ``Conflict`` (external id); then nothing was created.
    """
    run = run or UnkeyedRun(user_id)
    planned = plan_links(new, run, workspace_id=workspace_id)
    _refuse_destinations(planned, own_hosts)
    for position, link in enumerate(planned):
        kept = policies.of_a_purge(link.expires_at) | policies.of_clicks()
        planned[position] = link.with_changes(kept)
    custom = [code for link in new if (code := link.shortCode or link.customCode)]
    externals = [link.external_id for link in planned if link.external_id is not None]
    _refuse_repeated("shortCode", custom)
    _refuse_repeated("externalId", externals)
    if check is not None:
        check(planned)
    # Almost every conflict is found here, before anything is written.
    claims = links.names.code_claims(workspace_id, custom)
    if taken := [code for code in custom if code in claims and claims[code] is None]:
        raise ShortCodeTaken(taken)
    if used := links.names.external_id_owners(workspace_id, externals):
        raise external_id_taken([value for value in externals if value in used])
    if quota is not None:
        quota.reserve(len(planned))
    starts = range(0, len(planned), LINKS_A_TRANSACTION)
    results = in_parallel(
        lambda start: _create_group(planned, start, set(custom), run, links=links), starts
    )
    failure = next((result for result in results if result is not None), None)
    if failure is not None:
        with shutdown_deadline(max(current_deadline().remaining(), SHUTDOWN_SECONDS)):
            existed = run.undo(workspace_id, [link.id for link in planned], links, claims)
            if existed is None:
                return planned
            # Without a key no run bars a call that is carried out late. Its links stay counted.
            late = isinstance(run, UnkeyedRun) and any(map(may_still_apply, filter(None, results)))
            if quota is not None and existed < len(planned) and not late:
                _release(quota, len(planned) - existed, workspace_id)
        raise failure
    return planned


def plan_links(
    new: Sequence[NewLink], run: UnkeyedRun | KeyedRun, *, workspace_id: str
) -> list[Link]:
    """These links as this run makes them; nothing is written."""
    from functions.schemas.links import NewLink, stored_fields

    names = sorted(NewLink.model_fields.keys() - {"customCode", "shortCode"})
    planned = []
    for place, (link, link_id) in enumerate(zip(new, run.link_ids(len(new)), strict=True)):
        fields = {
            FIELDS[name]: value
            for name, value in stored_fields(link, names).items()
            if value is not None
        }
        planned.append(
            Link(
                id=link_id,
                workspace_id=workspace_id,
                user_id=run.user_id,
                short_code=link.shortCode or link.customCode or run.code(place),
                created_at=run.created_at,
                updated_at=run.created_at,
                one_partition=True,
                **fields,
            )
        )
    return planned


def external_id_taken(values: list[str]) -> Conflict:
    """The error for external ids that other links have."""
    return Conflict("externalId is already in use", takenExternalIds=values[:100])


def _release(quota: Quota, links: int, workspace_id: str) -> None:
    """Subtract links that were never created; the stream subtracts deleted ones."""
    try:
        quota.release(links)
    except UnlinkError as error:
        # The counter stays too high until the links are counted again.
        log.warning(
            "links that were not created are still counted",
            extra={"workspaceId": workspace_id, "cause": repr(error.__cause__ or error)},
        )


def _refuse_destinations(planned: list[Link], own_hosts: Collection[tuple[str, int]]) -> None:
    """Raise for new links with invalid destinations; names each link by its position."""
    faults: list[str] = []
    for position, link in enumerate(planned):
        prefix = f"{position}." if len(planned) > 1 else ""
        found = loop_faults(destinations_of(link), own_hosts) + length_faults(link, DESTINATIONS)
        faults += [f"{prefix}{fault}" for fault in found]
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        raise InvalidRequest(details=faults[:MAX_FAULTS])


def _refuse_repeated(name: str, values: list[str]) -> None:
    repeated = [value for value, times in Counter(values).items() if times > 1]
    if repeated:
        raise InvalidRequest(f"{name} is given to more than one link: {repeated[0]}")


def _create_group(
    planned: list[Link],
    start: int,
    custom: set[str],
    run: UnkeyedRun | KeyedRun,
    *,
    links: LinksTable,
) -> Exception | None:
    """Create the links of one transaction, from ``start`` on; None, or why not.

    A link whose generated code is taken is replaced in ``planned`` by one with another code.
    """
    places = range(start, min(start + LINKS_A_TRANSACTION, len(planned)))
    action = run.made_action(start // LINKS_A_TRANSACTION)
    try:
        for _ in range(MAX_DRAWS):
            group = [planned[place] for place in places]
            obstacles = links.create(group, token=str(uuid.uuid4()), made=action)
            if not obstacles:
                return None
            if refusal := _refusal(group, obstacles, custom):
                return refusal
            for place, what in zip(places, obstacles, strict=True):
                if what == "code":
                    planned[place] = planned[place]._replace(short_code=run.draw_again(place))
    except Exception as error:
        return error
    return Unavailable("No free short code was found")


def _refusal(group: Sequence[Link], obstacles: Sequence[str], custom: set[str]) -> Conflict | None:
    """The conflict that other generated codes would not solve."""
    by_obstacle = list(zip(group, obstacles, strict=True))
    if externals := [link.external_id or "" for link, what in by_obstacle if what == "externalId"]:
        return external_id_taken(externals)
    codes = [link.short_code for link, what in by_obstacle if what == "code"]
    if refused := [code for code in codes if code in custom]:
        return ShortCodeTaken(refused)
    return None
