"""A link: one short link of a workspace, live or soft-deleted."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Self

from functions.domain.camel_case import camel_case
from functions.domain.ids import NO_RESTORE, time_of

#: Minimum time that a restored link is kept, even if its workspace purges expired links sooner.
GRACE_SECONDS = 7 * 86_400


class Link(NamedTuple):
    """What is kept of a link. Moments are text, as :func:`functions.domain.clock.iso` writes it.

    ``is_live`` is False once the link is soft-deleted; then ``deletion_id`` and ``deleted_at`` say
    by which deletion and when. ``is_active`` is the owner's switch: an inactive link is live, but
    does not redirect. ``fencing_token`` is the id of the last restore, or
    :data:`~functions.domain.ids.NO_RESTORE`. ``ttl`` is when DynamoDB may remove the link (Unix
    seconds), and ``policies`` are those that the erasure after that follows.
    ``counted_days`` has the clicks of each recent day that ``click_count`` includes.
    ``click_retention_days`` is as stored, for
    :func:`~functions.domain.click_retention.click_retention_of`.
    ``one_partition`` says that everything of the link in the ``clicks`` table is in one partition:
    see :mod:`functions.repositories.clicks`.
    """

    id: str
    workspace_id: str
    short_code: str
    original_url: str
    created_at: str
    updated_at: str
    is_live: bool = True
    is_active: bool = True
    user_id: str | None = None
    title: str | None = None
    description: str | None = None
    tags: Sequence[str] = ()
    ios_url: str | None = None
    android_url: str | None = None
    web_fallback_url: str | None = None
    utm_parameters: Mapping[str, str] | None = None
    external_id: str | None = None
    expires_at: str | None = None
    forward_query: bool = True
    click_count: int = 0
    last_click_at: str | None = None
    counted_days: Mapping[str, Any] | None = None
    fencing_token: str = NO_RESTORE
    qr_keys: Collection[str] = ()
    deleted_at: str | None = None
    deletion_id: str | None = None
    ttl: int | None = None
    policies: Mapping[str, Any] | None = None
    click_retention_days: int | None = None
    one_partition: bool = False

    def redirects(self, now: str) -> bool:
        """Whether a visit at the moment ``now`` is redirected."""
        return (
            self.is_live and self.is_active and (self.expires_at is None or self.expires_at > now)
        )

    def with_changes(self, changes: Mapping[str, Any]) -> Self:
        """The link after these changes, by the names of the API; None clears a field."""
        values = {FIELDS[name]: value for name, value in changes.items()}
        return self._replace(
            **{
                name: _CLEARED[name] if value is None and name in _CLEARED else value
                for name, value in values.items()
            }
        )


#: The name of a field in the API and in the link's item -> its name here. ``isLive`` is not stored.
FIELDS = {camel_case(name): name for name in Link._fields}

#: The fields with a destination, by their names in the API.
DESTINATIONS = ("originalUrl", "iosUrl", "androidUrl", "webFallbackUrl")


def grace_end(restore_id: str) -> int:
    """Until when a link with this fencing token is kept at least (Unix seconds)."""
    # From the restore's own time, so that a repeated statement is identical.
    return 0 if restore_id == NO_RESTORE else int(time_of(restore_id)) + GRACE_SECONDS


#: Fields that are not None when they are cleared.
_CLEARED: dict[str, Any] = {
    "tags": (),
    "qr_keys": (),
    "forward_query": True,
    "one_partition": False,
}
