"""QR codes of links."""

from __future__ import annotations

from functions import container
from functions.api.entity_tags import has_tag, tag_of
from functions.api.request import Request, integer, parameter
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain import qr_image as images
from functions.domain.errors import LinkNotFound
from functions.services.qr import qr_image

routes = Routes("Links")

#: Private and revalidated at each request, so that a deleted link's image is not used any more.
CACHING = "private, no-cache"


COLOR = f"^{images.COLOR.pattern}$"
CONTRAST = f"The contrast of the two colours must be at least {images.LEAST_CONTRAST:g} to 1."
STYLE = {
    "format": parameter("The image format.", enum=[*images.MEDIA_TYPES], default="png"),
    "size": integer(
        "Width and height in pixels, including the quiet zone; exact.",
        minimum=images.MIN_SIZE,
        maximum=images.MAX_SIZE,
        default=images.DEFAULT_SIZE,
    ),
    "color": parameter(f"The colour of the code. {CONTRAST}", pattern=COLOR, default="000000"),
    "bgcolor": parameter(
        f"The colour of the background. {CONTRAST}", pattern=COLOR, default="ffffff"
    ),
}


@routes.route("GET", "/api/links/{id}/qr", scope="linksRead", query=STYLE)
@Described(
    text="The image.",
    media=tuple(images.MEDIA_TYPES.values()),
    headers=("ETag", "Cache-Control"),
    raises=(LinkNotFound,),
)
def get_link_qr(request: Request) -> Response[str | bytes]:
    """The QR code of a live link's short URL, as PNG or SVG."""
    style = images.parse_style(request.query)
    image = qr_image(
        request.path["id"],
        style,
        workspace_id=request.caller.workspace_id,
        base_url=request.base_url,
        links=container.links(),
        images=container.qr_images(),
    )
    tag = f'"{tag_of(image)}"'
    headers = {"ETag": tag, "Cache-Control": CACHING}
    if has_tag(request.header("If-None-Match"), tag):
        return Response(304, "", headers, content_type=style.media_type)
    body = image if style.format == "png" else image.decode()
    return Response(200, body, headers, {"bytes": len(image)}, style.media_type)
