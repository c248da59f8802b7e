"""Which links a caller means: the filter of lists and of deletions."""

from typing import NamedTuple

from functions.domain.link import Link
from functions.domain.unicode_text import fold, folded_needle


class LinkFilter(NamedTuple):
    """The conditions of a filter; None matches any link.

    ``title`` is a substring, compared caselessly (:func:`functions.domain.unicode_text.fold`);
    ``tag`` is one whole tag. Timestamps have the format of a link's; ``created_before`` and
    ``created_after`` are exclusive.
    """

    tag: str | None = None
    title: str | None = None
    is_active: bool | None = None
    expired: bool | None = None
    created_before: str | None = None
    created_after: str | None = None
    min_clicks: int | None = None
    max_clicks: int | None = None
    external_id: str | None = None

    @property
    def empty(self) -> bool:
        """Whether every link matches."""
        return self == LinkFilter()

    def matches(self, link: Link, *, now: str) -> bool:
        """Whether a link matches at the moment ``now`` (text, as in links)."""
        expires_at = link.expires_at
        return (
            (self.tag is None or self.tag in link.tags)
            and (self.title is None or folded_needle(self.title) in fold(link.title or ""))
            and (self.is_active is None or link.is_active is self.is_active)
            and (
                self.expired is None
                or (expires_at is not None and expires_at <= now) is self.expired
            )
            and (self.created_before is None or link.created_at < self.created_before)
            and (self.created_after is None or link.created_at > self.created_after)
            and (self.min_clicks is None or link.click_count >= self.min_clicks)
            and (self.max_clicks is None or link.click_count <= self.max_clicks)
            and (self.external_id is None or link.external_id == self.external_id)
        )


#: Matches all links.
EVERY_LINK = LinkFilter()
