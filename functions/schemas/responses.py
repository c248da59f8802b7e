"""What the API answers, as models: the schemas of the OpenAPI document.

No function imports this: views build plain dicts. That those fit these models is tested, by the
views' own tests and by fuzzing the deployed API from the document.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from functions.domain.errors import NAMED_IDS
from functions.schemas.links import UtmParameters

UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

LinkId = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid", "pattern": UUID})]
DeletionId = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "format": "uuid",
            "pattern": UUID,
            "description": "A version 7 UUID: its text sorts by time.",
        }
    ),
]
Time = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "description": "UTC."})
]
Count = Annotated[int, Field(ge=0)]
Cursor = Annotated[
    str | None, Field(description="Give it back as `cursor` for the next page; null at the end.")
]
Success = Annotated[bool, WithJsonSchema({"const": True})]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Link(_Answer):
    """A live link. A field that the link does not have is null."""

    id: LinkId
    workspaceId: str
    userId: str | None
    shortCode: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{4,30}$")]
    shortUrl: str
    originalUrl: str
    title: str | None
    description: str | None
    tags: list[str]
    iosUrl: str | None
    androidUrl: str | None
    webFallbackUrl: str | None
    utmParameters: UtmParameters | None
    externalId: str | None
    expiresAt: Time | None
    forwardQuery: Annotated[
        bool, Field(description="Whether a visit's own query is added to the destination.")
    ]
    isActive: bool
    clickCount: Annotated[Count, Field(description="Clicks of people; bots are not counted.")]
    createdAt: Time
    updatedAt: Time


class WrittenLink(_Answer):
    """What a request changed of a link, for a key without ``linksRead``: the named fields only."""

    id: LinkId
    updatedAt: Time
    originalUrl: str = ""
    title: str | None = None
    description: str | None = None
    tags: list[str] = []
    iosUrl: str | None = None
    androidUrl: str | None = None
    webFallbackUrl: str | None = None
    utmParameters: UtmParameters | None = None
    externalId: str | None = None
    expiresAt: Time | None = None
    isActive: bool = True
    forwardQuery: bool = True


class LinkPage(_Answer):
    """Live links, newest first."""

    links: list[Link]
    nextCursor: Cursor


class DayClicks(_Answer):
    """One day of UTC."""

    date: Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
    clicks: Count


class CountryClicks(_Answer):
    """Clicks from a country (ISO 3166-1 alpha-2); ``unknown`` and ``other`` are values too."""

    country: str
    clicks: Count


class RegionClicks(_Answer):
    """Clicks from a region; ``unknown`` and ``other`` are values too."""

    region: str
    clicks: Count


class CityClicks(_Answer):
    """Clicks from a city; ``unknown`` and ``other`` are values too."""

    city: str
    clicks: Count


class TimezoneClicks(_Answer):
    """Clicks from a timezone; ``unknown`` and ``other`` are values too."""

    timezone: str
    clicks: Count


class DeviceClicks(_Answer):
    """Clicks by kind of device: mobile, tablet, desktop, other."""

    device: str
    clicks: Count


class PlatformClicks(_Answer):
    """Clicks by operating system."""

    platform: str
    clicks: Count


class ReferrerClicks(_Answer):
    """Clicks by the host that they came from; ``direct`` for none."""

    referrer: str
    clicks: Count


class PlatformInstalls(_Answer):
    """Installs by operating system."""

    platform: str
    installs: Count


class Analytics(_Answer):
    """What was counted of a link; every list but the dates has the most first."""

    linkId: LinkId
    days: Count
    totalClicks: Count
    uniqueClicks: Annotated[
        Count, Field(description="The sum of each day's visitors: two days count twice.")
    ]
    totalInstalls: Count
    clicksByDate: list[DayClicks]
    clicksByCountry: list[CountryClicks]
    clicksByRegion: list[RegionClicks]
    clicksByCity: list[CityClicks]
    clicksByTimezone: list[TimezoneClicks]
    clicksByDevice: list[DeviceClicks]
    clicksByPlatform: list[PlatformClicks]
    clicksByReferrer: list[ReferrerClicks]
    installsByPlatform: list[PlatformInstalls]


class Export(_Answer):
    """A job that writes a link and every click of it, a JSON object a line."""

    id: Annotated[str, WithJsonSchema({"type": "string", "format": "uuid", "pattern": UUID})]
    linkId: LinkId
    state: Literal["pending", "running", "complete", "failed"]
    failure: Annotated[str | None, Field(description="Why it failed; it is not tried again.")]
    url: Annotated[
        str | None, Field(description="Signed anew at each request; null until complete.")
    ]
    expiresAt: Annotated[Time | None, Field(description="Until when the URL can be used.")]
    createdAt: Annotated[Time, Field(description="Later clicks are not in it.")]


class Install(_Answer):
    """An app install, attributed to the click that led to it."""

    id: Annotated[str, WithJsonSchema({"type": "string", "format": "uuid", "pattern": UUID})]
    linkId: LinkId
    clickId: Annotated[str, Field(description="Names the click in exports too.")]
    platform: Literal["iOS", "Android", "other"]
    deviceId: str | None
    appVersion: str | None
    installedAt: Time
    createdAt: Time


TakenFirst = Annotated[
    list[LinkId],
    Field(
        description="Only if there are any: ids that another request deleted at the same moment, "
        "after this one had found all of its links live."
    ),
]


class DeletedLinks(_Answer):
    """The ids of the deleted links in request order, duplicates once."""

    deletedIds: list[LinkId]
    notFoundIds: TakenFirst = []


class PendingLinks(_Answer):
    """The deadline came before the last id; the rest is finished in the background."""

    deletedIds: list[LinkId]
    notFoundIds: TakenFirst = []
    pendingIds: list[LinkId]


class ErasedLink(_Answer):
    """The link, its clicks and its code are gone for good."""

    success: Success


class ErasedLinks(_Answer):
    """What became of each id, in request order, duplicates once."""

    success: Annotated[bool, Field(description="False only beside `failedIds`.")]
    deletedIds: list[LinkId]
    notFoundIds: Annotated[
        list[str], Field(description="Malformed, unknown and other workspaces' ids.")
    ]
    failedIds: Annotated[
        list[LinkId],
        Field(description="Still there: they could not be erased, and nobody will try again."),
    ] = []


class PendingErasure(ErasedLinks):
    """The deadline came before the last id; the rest is finished in the background."""

    pendingIds: list[LinkId]


class Actor(_Answer):
    """Who asked: a key and its user, or one of our services (``retention``)."""

    keyId: str | None = None
    userId: str | None = None
    service: str | None = None


class DeletionCounts(_Answer):
    """Ids by outcome; ``deleted`` counts erased ones too."""

    requested: Count
    deleted: Count
    notFound: Count
    pending: Count
    restored: Count
    failed: Count


class DeletionResult(_Answer):
    """What became of one id."""

    id: LinkId
    outcome: Literal["deleted", "erased", "notFound", "pending", "failed", "restored"]


class DeletionExport(_Answer):
    """Where the export that came first can be fetched: for seven days, with ``analyticsRead``."""

    url: str | None
    expiresAt: Time | None


class DeletionSummary(_Answer):
    """The durable record of one delete request."""

    id: DeletionId
    mode: Literal["soft", "erase"]
    state: Literal["accepted", "exporting", "deleting", "erasing", "complete", "failed"]
    reason: str | None
    actor: Actor
    sourceIp: str | None
    createdAt: Time
    completedAt: Time | None
    counts: DeletionCounts
    filter: Annotated[
        dict[str, Any] | None, Field(description="What the ids were resolved from, if not given.")
    ]
    failure: Annotated[
        str | None, Field(description="Why a deletion by filter was given up, nothing deleted.")
    ]
    receipt: dict[str, Any] | None
    export: DeletionExport | None


class RestoreCounts(_Answer):
    """How many ids a restore was asked for, and what became of them."""

    requested: Count
    restored: Count
    refused: Count


class RestoreSummary(_Answer):
    """Who brought links of a deletion back, when and why."""

    id: DeletionId
    state: Literal["restoring", "complete"]
    reason: str | None
    actor: Actor
    sourceIp: str | None
    createdAt: Time
    completedAt: Time | None
    counts: RestoreCounts


class Deletion(DeletionSummary):
    """The durable record of one delete request, with a page of its outcomes."""

    results: list[DeletionResult]
    nextCursor: Cursor
    restores: Annotated[
        list[RestoreSummary], Field(description="Of a soft delete: the newest 25 restores.")
    ] = []


class NewErasure(Deletion):
    """A new deletion; an erasure names the ids that it did not find."""

    notFoundIds: list[str] = []


class RefusedRestore(_Answer):
    """A link that stays as it is, and why."""

    id: str
    reason: Literal["erased", "expired", "deletedAgain", "notDeleted", "notInDeletion"]


class PurgedLater(_Answer):
    """A restored link whose workspace purges expired links, and when that will be."""

    id: LinkId
    purgeAt: Time


class RestoredLinks(_Answer):
    """What became of each id."""

    restoredIds: list[LinkId]
    refused: list[RefusedRestore]
    toBePurged: Annotated[
        list[PurgedLater],
        Field(
            description="Of the restored links, those that expired so long ago that they would be"
            " purged at once: they stay for seven days, unless their expiresAt is changed."
        ),
    ] = []


class PendingRestore(RestoredLinks):
    """The deadline came before the last id; the rest is finished in the background."""

    pendingIds: list[LinkId]


class DeletionPage(_Answer):
    """Deletions, newest first."""

    deletions: list[DeletionSummary]
    nextCursor: Cursor


class PreviewCounts(_Answer):
    """How many ids there are of each kind."""

    requested: Count
    deletable: Count
    unknown: Count
    invalid: Count


class Preview(_Answer):
    """What a deletion would do. Nothing was written."""

    dryRun: Success
    mode: Literal["soft", "erase"]
    counts: PreviewCounts
    clicks: Count
    lastClickAt: Time | None
    unknownIds: Annotated[list[str], Field(max_length=NAMED_IDS)]
    invalidIds: Annotated[list[str], Field(max_length=NAMED_IDS)]
    confirmationToken: Annotated[
        str, Field(description="For a filter: send it back to delete exactly this set, or nothing.")
    ] = ""


class PlanLimits(_Answer):
    """What the workspace's plan allows."""

    name: str
    requestsPerMinute: Count
    maxIds: Count
    linksPerWorkspace: Count
    linksPerCreate: Count
    filterReadsPerRequest: Count
    filterReadsPerMinute: Count
    openFilters: Count
    openExports: Count


class WorkspacePolicies(_Answer):
    """What the workspace has decided about its deletes. Days; null is never."""

    retentionDays: Count | None
    purgeExpiredAfterDays: Count | None
    quarantineDays: Count
    codeReservationDays: Count
    cascadeInstalls: bool
    linkEvents: bool
    appSchemes: list[str]
    clickRetentionDays: Count | None
    undoMinutes: Count


class MinuteWindow(_Answer):
    """Where the caller stands in the current minute, this request included."""

    limit: Count
    remaining: Count
    reset: Annotated[Count, Field(description="When the minute is over, in Unix seconds.")]


class Me(_Answer):
    """Who calls, what it may do, and under which plan and policies."""

    workspaceId: str
    actor: Actor
    credential: Literal["key", "session"]
    role: Annotated[
        Literal["viewer", "editor", "owner"] | None, Field(description="Null for an API key.")
    ]
    scopes: list[str]
    expiresAt: Annotated[Time | None, Field(description="Of the key or session.")]
    plan: PlanLimits
    policies: WorkspacePolicies
    window: Annotated[
        MinuteWindow | None, Field(description="Null when the request could not be counted.")
    ]


# -- errors ---------------------------------------------------------------------------------


class Bilingual(_Answer):
    """The same in English and Arabic."""

    en: str
    ar: str


class Taken(_Answer):
    """What has a name that was wanted, in the caller's own workspace."""

    shortCode: str = ""
    externalId: str = ""
    takenBy: Literal["live", "trash", "quarantine"]
    linkId: LinkId = ""
    deletionId: Annotated[
        DeletionId, Field(description="Of the soft delete, or of the erasure that freed the code.")
    ] = ""
    availableFrom: Annotated[Time, Field(description="When the quarantine ends.")] = ""


class _Members(_Answer):
    """What may stand beside an error, in either dialect."""

    details: Annotated[list[str], Field(description="What is wrong, field by field.")] = []
    invalidIds: Annotated[
        list[str], Field(max_length=NAMED_IDS, description="Ids that are not UUIDs.")
    ] = []
    invalidCount: Count = 0
    unknownIds: Annotated[
        list[str],
        Field(max_length=NAMED_IDS, description="Ids that are not live links of the workspace."),
    ] = []
    unknownCount: Count = 0
    limit: Annotated[Count, Field(description="The most that the request may carry.")] = 0
    missingScopes: Annotated[list[str], Field(description="What the API key lacks.")] = []
    takenCodes: Annotated[list[str], Field(max_length=NAMED_IDS)] = []
    takenExternalIds: Annotated[list[str], Field(max_length=NAMED_IDS)] = []
    taken: Annotated[
        list[Taken],
        Field(
            max_length=2 * NAMED_IDS,
            description="Of the taken names those that the workspace itself has, for a key with"
            " `linksRead`.",
        ),
    ] = []
    retryAfter: Annotated[Count, Field(description="Seconds, as in Retry-After.")] = 0


class HokoError(_Members):
    """An error of the routes that speak Hoko."""

    error: Bilingual


class LinkFortyError(_Members):
    """An error of the routes that speak LinkForty."""

    statusCode: int
    error: Annotated[str, Field(description="The status in words (RFC 9110).")]
    message: str


class LinkNotFoundError(_Answer):
    """Unknown, another workspace's, soft-deleted or erased: one answer for all."""

    statusCode: Annotated[int, WithJsonSchema({"const": 404})]
    error: Annotated[str, WithJsonSchema({"const": "Not Found"})]
    message: Annotated[str, WithJsonSchema({"const": "Link not found"})]


class GatewayError(_Answer):
    """An error that was found before the route: one body for both dialects."""

    statusCode: int
    error: Bilingual
    message: str
    retryAfter: Annotated[Count, Field(description="Seconds, as in Retry-After.")] = 0
