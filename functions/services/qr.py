"""The QR image of a live link, cached so that the link's delete finds it."""

from __future__ import annotations

from functions.aws.s3 import Bucket
from functions.domain.clock import deadline
from functions.domain.errors import LinkNotFound, Unavailable, UnlinkError
from functions.domain.qr_image import Style, render
from functions.powertools import Logger
from functions.repositories.links import LinksTable, Registered
from functions.services.link_lookup import find_link

#: Maximum cached images per link; others are rendered at each request. The keys make the link's
#: item larger, which makes deletes more expensive.
MAX_VARIANTS = 8

#: Maximum seconds to wait for the cache: rendering takes some hundredths of a second.
CACHE_TIMEOUT = 2.0

log = Logger()


def qr_image(
    reference: str,
    style: Style,
    *,
    workspace_id: str,
    base_url: str,
    links: LinksTable,
    images: Bucket,
) -> bytes:
    """The image of the link's short URL; raises ``LinkNotFound`` unless the link is live.

    An image is stored only under a key that is registered on the live link. So a delete leaves no
    image: either the purge finds the key, or this function finds no link.
    """
    link = find_link(reference, workspace_id=workspace_id, links=links)
    text = f"{base_url}/{link.short_code}"
    key = f"qr/{workspace_id}/{link.id}/{style.variant(text)}"
    known = link.qr_keys
    if key in known:
        cached = _cached(images, key)
        if cached is not None:
            return cached
    else:
        if len(known) >= MAX_VARIANTS:
            return render(text, style)
        registered = links.register_qr_key(workspace_id, link.id, key, maximum=MAX_VARIANTS)
        if registered is Registered.NOT_LIVE:
            raise LinkNotFound
        if registered is Registered.NO_ROOM:
            return render(text, style)
    image = render(text, style)
    _store(images, key, image, style)
    # The link was deleted since the key was registered, and the image may have been stored after
    # the purge. A delete removes the keys, so a link that was restored in the meantime does not
    # have this image.
    now = links.get(workspace_id, link.id)
    if now is None or key not in now.qr_keys:
        images.remove([key])
    if now is None or not now.is_live:
        raise LinkNotFound
    return image


def _cached(images: Bucket, key: str) -> bytes | None:
    """The cached image, or None: the bucket's lifecycle rule removes old ones.

    A failing cache does not fail the request: the image is rendered.

    ``Unavailable`` is a warning. Any other error (such as ``AccessDenied``) needs an operator.
    """
    try:
        with deadline(CACHE_TIMEOUT):
            return images.get(key)
    except Unavailable:
        log.warning("QR cache read timed out", extra={"key": key}, exc_info=True)
    except UnlinkError:
        log.exception("QR cache read failed", extra={"key": key})
    return None


def _store(images: Bucket, key: str, image: bytes, style: Style) -> None:
    try:
        with deadline(CACHE_TIMEOUT):
            images.put(key, image, content_type=style.media_type)
    except Unavailable:
        log.warning("QR cache write timed out", extra={"key": key}, exc_info=True)
    except UnlinkError:
        log.exception("QR cache write failed", extra={"key": key})
