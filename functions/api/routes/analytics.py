"""The counts of a link."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions import container
from functions.api.link_reference import find_link_of
from functions.api.request import Request, integer
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.errors import LinkNotFound
from functions.services.analytics import analytics

if TYPE_CHECKING:
    from functions.schemas.analytics_responses import Analytics

routes = Routes("Analytics")

DAYS = integer("Number of UTC days to look back, with today.", default=30, maximum=365)


@routes.route("GET", "/api/analytics/links/{id}", scope="analyticsRead", query={"days": DAYS})
@Described(raises=(LinkNotFound,))
def get_analytics(request: Request) -> Response[Analytics]:
    """The analytics of a link, live or soft-deleted, by id or short code.

    Clicks are counted within seconds; bots are not counted. Country, region, city and timezone are
    ``unknown`` unless CloudFront serves the short links. A list has at most a hundred values per
    day; the others are counted as ``other``.
    """
    days = request.integer("days")
    response = analytics(
        find_link_of(request).id,
        days=days,
        today=datetime.fromtimestamp(time.time(), UTC).date(),
        rollups=container.rollups(),
    )
    return Response(200, response, log_fields={"days": days})
