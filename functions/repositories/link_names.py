"""Short codes and external ids: which links have them, and which are free."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from functions.aws.codec import from_item
from functions.aws.dynamodb import Table
from functions.domain import code_release
from functions.domain.code_release import CodeRelease
from functions.repositories.link_items import (
    code_key,
    code_of,
    external_id_key,
    external_id_of,
)


class LinkNames(Table):
    """Reads the items of short codes and external ids, strongly consistent."""

    def resolve_external_id(self, workspace_id: str, external_id: str) -> str | None:
        """The id of the link with this external id."""
        item = self._read_item(external_id_key(workspace_id, external_id))
        return item["linkId"]["S"] if item else None

    def code_claims(self, workspace_id: str, codes: Sequence[str]) -> dict[str, CodeRelease | None]:
        """What these short codes have, without those that have nothing.

        None if the workspace may not use the code: a link uses it, or it is in quarantine, or
        reserved for another workspace. Else the reservation that a new link would replace.
        """
        now = time.time()

        def claim(item: dict[str, Any]) -> tuple[str, CodeRelease | None]:
            free = code_release.is_free(item, workspace_id, now)
            return code_of(item), CodeRelease.of_free(item) if free else None

        found = self._read_items(
            codes,
            keys=_code_keys,
            decode=claim,
            attributes=code_release.ATTRIBUTES,
        )
        return dict(found)

    def code_items(self, codes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What holds each of these short codes; nothing for a free one.

        ``workspaceId`` and ``linkId`` of a link, or what :mod:`~functions.domain.code_release`
        leaves of one.
        """
        found = self._read_items(
            codes,
            keys=_code_keys,
            decode=lambda item: (code_of(item), from_item(item)),
        )
        return dict(found)

    def external_id_owners(self, workspace_id: str, external_ids: Sequence[str]) -> dict[str, str]:
        """The link of the workspace that has each of these external ids."""
        found = self._read_items(
            external_ids,
            keys=lambda batch: [external_id_key(workspace_id, each) for each in batch],
            decode=lambda item: (external_id_of(workspace_id, item), item["linkId"]["S"]),
        )
        return dict(found)


def _code_keys(codes: Sequence[str]) -> list[dict[str, Any]]:
    return [code_key(code) for code in codes]
