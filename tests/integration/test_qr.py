"""QR codes: exact, readable by a real decoder, cached where the delete finds them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import resvg_py
import zxingcpp
from botocore.exceptions import ClientError, ReadTimeoutError
from PIL import Image

from functions import container
from functions.aws.client import client
from functions.aws.s3 import Bucket
from functions.domain.clock import deadline
from functions.domain.errors import InternalError, InvalidRequest, LinkNotFound, Unavailable
from functions.domain.qr_image import Style, parse_style, render
from functions.handlers import qr
from functions.services.qr import MAX_VARIANTS, qr_image
from tests.conftest import World
from tests.support.api_gateway import Reply
from tests.support.interleaving import interleave
from tests.support.restores import bring_back

TEXT = "https://links.example/Ab3-_xYz"

#: What a browser sends for an <img>, and for an address that is typed in.
IMAGE_ACCEPT = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
PAGE_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def picture(data: bytes, style: Style) -> Image.Image:
    """The pixels, by independent decoders."""
    if style.format == "svg":
        data = bytes(resvg_py.svg_to_bytes(svg_string=data.decode()))
    return Image.open(io.BytesIO(data)).convert("RGB")


def scan(image: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(image)]


@pytest.mark.parametrize("image_format", ["png", "svg"])
@pytest.mark.parametrize("size", [128, 129, 333, 512, 2048])
def test_a_scanner_reads_the_short_url_in_every_size(image_format: str, size: int) -> None:
    style = Style(format=image_format, size=size)

    image = picture(render(TEXT, style), style)

    assert image.size == (size, size)
    assert scan(image) == [TEXT]


def test_the_longest_short_url_fits_the_smallest_image() -> None:
    text = f"https://{'a' * 63}.{'b' * 60}.example/{'c' * 30}"
    style = Style(size=128)

    assert scan(picture(render(text, style), style)) == [text]


@pytest.mark.parametrize("image_format", ["png", "svg"])
@pytest.mark.parametrize(("color", "bgcolor"), [("7a1fa2", "fff8e1"), ("f5f5f5", "0d1b2a")])
def test_colours_are_exactly_as_requested(image_format: str, color: str, bgcolor: str) -> None:
    style = parse_style({"format": image_format, "color": color, "bgcolor": f"#{bgcolor.upper()}"})

    image = picture(render(TEXT, style), style)

    shades = {shade for _, shade in image.getcolors(maxcolors=1 << 20) or []}
    assert {tuple(bytes.fromhex(color)), tuple(bytes.fromhex(bgcolor))} <= shades
    if image_format == "png":
        assert len(shades) == 2
    assert scan(image) == [TEXT]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"format": "gif"}, "format must be png or svg"),
        ({"format": "PNG"}, "format must be png or svg"),
        ({"size": "127"}, "size must be an integer from 128 to 2048"),
        ({"size": "2049"}, "size must be an integer from 128 to 2048"),
        ({"size": "512.0"}, "size must be an integer from 128 to 2048"),
        ({"size": ""}, "size must be an integer from 128 to 2048"),
        ({"size": "٥١٢"}, "size must be an integer from 128 to 2048"),
        ({"size": "9" * 5000}, "size must be an integer from 128 to 2048"),
        ({"color": "red"}, "color must be three or six hexadecimal digits, as in 1a2b3c"),
        ({"bgcolor": "12345"}, "bgcolor must be three or six hexadecimal digits, as in 1a2b3c"),
        ({"color": "fff"}, "color and bgcolor are too alike to be scanned"),
        ({"size": "000001280000"}, "size must be an integer from 128 to 2048"),
    ],
)
def test_bad_parameters_are_named(query: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_style(query)
    assert refused.value.message == message


@dataclass
class MemoryImages:
    """The bucket, for tests that look into it or make it fail."""

    objects: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    gets: int = 0

    def get(self, key: str) -> bytes | None:
        self.gets += 1
        self._answer()
        return self.objects.get(key)

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        self._answer()
        self.objects[key] = body

    def remove(self, keys: list[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    def _answer(self) -> None:
        if self.down:
            raise Unavailable


@pytest.fixture
def images() -> MemoryImages:
    return MemoryImages()


def draw(world: World, images: MemoryImages, reference: str, style: Style | None = None) -> bytes:
    return qr_image(
        reference,
        style or Style(),
        workspace_id=world.workspace_id,
        base_url="https://links.example",
        links=world.stores.links,
        images=images,  # type: ignore[arg-type]
    )


def keys_on(world: World, link_id: str) -> set[str]:
    return set(world.link(link_id).qr_keys)


def test_the_first_request_stores_the_image_under_a_key_of_the_link(
    world: World, images: MemoryImages
) -> None:
    [link] = world.create_items()

    drawn = draw(world, images, link.id)

    assert scan(picture(drawn, Style())) == [f"https://links.example/{link.short_code}"]
    [key] = images.objects
    assert key.startswith(f"qr/{world.workspace_id}/{link.id}/")
    assert keys_on(world, link.id) == {key}
    assert images.objects[key] == drawn


def test_later_requests_are_served_from_the_bucket(world: World, images: MemoryImages) -> None:
    [link] = world.create_items()
    draw(world, images, link.id)
    [key] = images.objects
    images.objects[key] = b"from the bucket"

    assert draw(world, images, link.short_code) == b"from the bucket"


def test_a_missing_image_is_stored_again(world: World, images: MemoryImages) -> None:
    [link_id] = world.create()
    drawn = draw(world, images, link_id)
    [key] = images.objects
    images.objects.clear()

    assert draw(world, images, link_id) == drawn
    assert images.objects == {key: drawn}


def test_only_eight_variants_are_cached(world: World, images: MemoryImages) -> None:
    [link_id] = world.create()
    styles = [Style(size=200 + step) for step in range(MAX_VARIANTS + 3)]

    for style in styles:
        assert picture(draw(world, images, link_id, style), style).width == style.size

    assert len(images.objects) == MAX_VARIANTS
    assert keys_on(world, link_id) == set(images.objects)
    # The first eight are still served from the bucket.
    draw(world, images, link_id, styles[0])
    assert images.gets == 1


def test_racing_requests_cannot_register_a_ninth(world: World) -> None:
    [link_id] = world.create()
    links = world.stores.links

    def register(name: str) -> str:
        return links.register_qr_key(world.workspace_id, link_id, name, maximum=MAX_VARIANTS).name

    assert [register(f"k{n}") for n in range(9)] == ["YES"] * 8 + ["NO_ROOM"]
    assert register("k3") == "YES"
    world.soft_delete([link_id])
    assert register("k3") == "NOT_LIVE"
    # The delete removed the keys from the link: a restored link starts without images.
    assert keys_on(world, link_id) == set()


def test_only_live_links_have_images(world: World, images: MemoryImages) -> None:
    [deleted] = world.create()
    draw(world, images, deleted)
    world.soft_delete([deleted])
    [foreign] = world.create(1, workspace_id="ws-somebody-else")

    for reference in (deleted, foreign, "6f6f6f6f-0000-4000-8000-000000000000", "nocode", "?"):
        with pytest.raises(LinkNotFound):
            draw(world, images, reference)


def test_a_link_deleted_during_rendering_keeps_no_image(
    world: World, images: MemoryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    interleave(monkeypatch, images, "put", before=lambda: world.soft_delete([link_id]))

    with pytest.raises(LinkNotFound):
        draw(world, images, link_id)
    assert images.objects == {}


def test_a_link_restored_during_rendering_keeps_no_unknown_image(
    world: World, images: MemoryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()

    def delete_and_restore() -> None:
        bring_back(world, world.soft_delete([link_id]).id)

    interleave(monkeypatch, images, "put", before=delete_and_restore)

    drawn = draw(world, images, link_id)

    assert world.live(link_id)
    assert images.objects == {}
    assert keys_on(world, link_id) == set()
    # The next request finds its place.
    assert draw(world, images, link_id) == drawn
    assert set(images.objects) == keys_on(world, link_id) != set()


def test_a_link_deleted_before_its_key_was_registered_is_not_found(
    world: World, images: MemoryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    links = world.stores.links
    interleave(monkeypatch, links, "register_qr_key", before=lambda: world.soft_delete([link_id]))

    with pytest.raises(LinkNotFound):
        draw(world, images, link_id)
    assert images.objects == {}
    assert keys_on(world, link_id) == set()


def test_the_image_is_returned_when_the_bucket_is_down(world: World, images: MemoryImages) -> None:
    [link] = world.create_items()
    images.down = True

    for _ in range(2):
        drawn = draw(world, images, link.id)
        assert scan(picture(drawn, Style())) == [f"https://links.example/{link.short_code}"]


def test_the_bucket_returns_stored_images_until_they_are_removed(services_url: str) -> None:
    s3 = boto3.client("s3", endpoint_url=services_url)
    s3.create_bucket(Bucket="qr-images")
    bucket = Bucket(s3, "qr-images")
    assert bucket.get("qr/a") is None
    bucket.put("qr/a", b"\x89PNG", content_type="image/png")
    assert bucket.get("qr/a") == b"\x89PNG"
    bucket.remove(["qr/a"])
    assert bucket.get("qr/a") is None
    bucket.remove(["qr/a"])


class CutOff:
    """A bucket whose responses break off this many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": self}

    def read(self) -> bytes:
        self.times -= 1
        if self.times >= 0:
            raise ReadTimeoutError(endpoint_url="https://s3")
        return b"image"


def test_a_truncated_image_is_read_again_or_missing() -> None:
    assert Bucket(CutOff(1), "b").get("qr/a") == b"image"
    with deadline(0.01), pytest.raises(Unavailable):
        Bucket(CutOff(100), "b").get("qr/a")


class Refusing:
    """A bucket that refuses every call."""

    def _refuse(self, **_: Any) -> dict[str, Any]:
        response = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(response, "S3")  # type: ignore[arg-type]

    get_object = put_object = _refuse


def test_access_denied_is_an_error_and_not_a_missing_image() -> None:
    images = Bucket(Refusing(), "b")
    with pytest.raises(InternalError) as refused:
        images.get("qr/a")
    assert isinstance(refused.value.__cause__, ClientError)


def test_a_refused_cache_write_is_logged_and_the_image_returned(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    [link] = world.create_items()
    # The first request writes the cache, the second reads it.
    for operation in ("write", "read"):
        image = draw(world, Bucket(Refusing(), "b"), link.id)  # type: ignore[arg-type]

        assert scan(picture(image, Style())) == [f"https://links.example/{link.short_code}"]
        errors = [record for record in caplog.records if record.levelname == "ERROR"]
        assert f"QR cache {operation} failed" in [record.message for record in errors]
        assert "AccessDenied" in caplog.text
        caplog.clear()


# -- over the function's handler ------------------------------------------------------------


@pytest.fixture
def handler(world: World, monkeypatch: pytest.MonkeyPatch, images: MemoryImages) -> World:
    monkeypatch.setenv("QR_BUCKET", "qr")
    monkeypatch.setattr(container, "qr_images", lambda: images)
    client("s3")
    return world


def ask(world: World, link_id: str, query: dict[str, str] | None = None, **more: Any) -> Reply:
    more.setdefault("headers", {"Accept": IMAGE_ACCEPT})
    return world.send(qr, "GET /api/links/{id}/qr", at=link_id, query=query, **more)


@pytest.mark.parametrize("accept", [IMAGE_ACCEPT, PAGE_ACCEPT])
def test_a_png_response_is_base64_encoded(handler: World, accept: str) -> None:
    [link] = handler.create_items()

    reply = ask(handler, link.id, headers={"Accept": accept})

    assert reply.status == 200
    assert reply.was_base64
    assert reply.headers["Content-Type"] == "image/png"
    assert reply.headers["Cache-Control"] == "private, no-cache"
    assert reply.headers["X-RateLimit-Limit"] == "10000"
    assert scan(picture(reply.body, Style())) == [f"http://short.test/{link.short_code}"]


def test_an_unchanged_image_gets_304_and_a_deleted_one_404(handler: World) -> None:
    [link_id] = handler.create()
    first = ask(handler, link_id, {"format": "svg"})
    assert first.headers["Content-Type"] == "image/svg+xml"
    tag = first.headers["ETag"]
    assert tag.startswith('"')

    again = ask(handler, link_id, {"format": "svg"}, headers={"if-none-match": f'"x", W/{tag}'})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    other = ask(handler, link_id, {"format": "png"}, headers={"If-None-Match": tag})
    assert other.status == 200

    handler.soft_delete([link_id])
    gone = ask(handler, link_id, {"format": "svg"}, headers={"If-None-Match": tag})
    assert gone.status == 404
    assert gone.json() == {"statusCode": 404, "error": "Not Found", "message": "Link not found"}


def test_a_bad_parameter_gets_400_in_the_linkforty_format(handler: World) -> None:
    [link_id] = handler.create()

    reply = ask(handler, link_id, {"size": "64"})

    assert reply.status == 400
    assert reply.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": "size must be an integer from 128 to 2048",
    }


def test_images_need_the_scope_links_read(handler: World) -> None:
    [link_id] = handler.create()

    assert ask(handler, link_id, scopes="linksWrite").json()["missingScopes"] == ["linksRead"]
