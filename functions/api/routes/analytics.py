"""The counts of a link."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions import container
from functions.api.link_reference import find_link_of
from functions.api.request import Request
from functions.api.response import Response
from functions.api.route import Routes
from functions.domain.query_params import parse_int_param
from functions.services.analytics import analytics

if TYPE_CHECKING:
    from functions.schemas.analytics_responses import Analytics

routes = Routes("Analytics")

#: The default number of days of ``GET /api/analytics/links/{id}``.
DEFAULT_DAYS = 30

MAX_DAYS = 365


@routes.route("GET", "/api/analytics/links/{id}", scope="analyticsRead", query=("days",))
def get_analytics(request: Request) -> Response[Analytics]:
    """The analytics of a link, live or soft-deleted, by id or short code.

    Also for soft-deleted links, until they are erased. Clicks are counted within seconds; bots are
    not counted. Country, region, city and timezone are ``unknown`` unless CloudFront serves the
    short links. A list has at most a hundred values per day; the others are counted as ``other``.
    """
    days_text = request.query.get("days")
    days = parse_int_param(days_text, "days", default=DEFAULT_DAYS, maximum=MAX_DAYS)
    response = analytics(
        find_link_of(request).id,
        days=days,
        today=datetime.fromtimestamp(time.time(), UTC).date(),
        rollups=container.rollups(),
    )
    return Response(200, response, log_fields={"days": days})
