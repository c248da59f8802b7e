"""What happens to the short code of an erased link, by the policies of its workspace.

A code is free at once for the workspace whose link it was. Printed links still have it, so it stays
reserved against other workspaces for a time (``codeReservationDays``). A quarantine
(``quarantineDays``) reserves it against every workspace. The code's item keeps only these
attributes:

- ``reservedFor``: the workspace that may use the code again;
- ``quarantinedUntil``: Unix seconds before which no workspace may use it, not even its own;
- ``deletionId``: for a code in quarantine, the erasure that freed it, which its own workspace sees;
- ``ttl``: Unix seconds after which the code is free for all, and DynamoDB removes the item.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from functions.domain.policies import Policies

_DAY = 86_400

#: The attributes that say whether a code is free.
ATTRIBUTES = ("pk", "ttl", "reservedFor", "quarantinedUntil")


class CodeRelease(NamedTuple):
    """Until when (Unix seconds) a released code is reserved or in quarantine; None means it is
    not.
    """

    workspace_id: str
    reserved_until: int | None = None
    quarantined_until: int | None = None
    deletion_id: str = ""

    @classmethod
    def by(
        cls, policies: Policies, workspace_id: str, at: float, *, deletion_id: str
    ) -> Self | None:
        """The release at the moment ``at``; None when the code is free for all at once."""
        reserved, quarantined = policies.code_reservation_days, policies.quarantine_days
        if not reserved and not quarantined:
            return None
        return cls(
            workspace_id,
            int(at) + reserved * _DAY if reserved else None,
            int(at) + quarantined * _DAY if quarantined else None,
            deletion_id,
        )

    @classmethod
    def of_free(cls, item: Mapping[str, Any]) -> Self:
        """The release of a free code's item (in DynamoDB's JSON)."""
        return cls(item["reservedFor"]["S"], reserved_until=int(item["ttl"]["N"]))

    def left(self) -> dict[str, str | int]:
        """The attributes of the item that keeps the code."""
        reserved, quarantined = self.reserved_until or 0, self.quarantined_until or 0
        kept: dict[str, str | int] = {
            "ttl": max(reserved, quarantined),
            "reservedFor": self.workspace_id,
        }
        if quarantined:
            kept |= {"quarantinedUntil": quarantined, "deletionId": self.deletion_id}
        return kept


#: A code is free if it has no item, if its TTL has passed (the removal may lag), or for the
#: workspace that it is reserved for. Of two racing creates one must fail.
IS_FREE = (
    "attribute_not_exists(pk) OR #ttl<:now OR (reservedFor=:workspace"
    " AND (attribute_not_exists(quarantinedUntil) OR quarantinedUntil<:now))"
)


def is_free_parameters(workspace_id: str, now: float) -> dict[str, Any]:
    """The names and values of :data:`IS_FREE`."""
    return {
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": {
            ":now": {"N": str(int(now))},
            ":workspace": {"S": workspace_id},
        },
    }


def is_free(item: Mapping[str, Any], workspace_id: str, now: float) -> bool:
    """:data:`IS_FREE` of an item that was read (in DynamoDB's JSON)."""
    if "ttl" in item and int(item["ttl"]["N"]) < int(now):
        return True
    own = item.get("reservedFor", {}).get("S") == workspace_id
    return own and int(item.get("quarantinedUntil", {"N": "0"})["N"]) < int(now)
