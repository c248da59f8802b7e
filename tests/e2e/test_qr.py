"""QR codes through the gateway: the bytes that a browser gets, from code to destination."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from http.client import HTTPResponse
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from local.demo_data import Workspace
from local.stack import LocalStack

ACCEPTS = (
    # Firefox and Chromium for an <img>, Chromium for an address that is typed in, programs.
    "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "application/json",
    "*/*",
    None,
)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


_open = urllib.request.build_opener(_NoRedirect).open


def get(url: str, **headers: str | None) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(
        url, headers={name.replace("_", "-"): value for name, value in headers.items() if value}
    )
    try:
        response: HTTPResponse | urllib.error.HTTPError = _open(request, timeout=30)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return response.status or 0, response.headers, response.read()


@pytest.mark.parametrize("accept", ACCEPTS)
def test_a_visit_of_the_scanned_url_is_redirected_to_the_destination(
    stack: LocalStack, demo: tuple[Workspace, list[dict[str, Any]]], accept: str | None
) -> None:
    workspace, links = demo
    link = links[0]
    url = f"{stack.base_url}/api/links/{link['id']}/qr?size=300"

    status, headers, body = get(url, Authorization=workspace.read_key, Accept=accept)

    assert (status, headers["Content-Type"]) == (200, "image/png")
    image = Image.open(io.BytesIO(body))
    assert image.size == (300, 300)
    [code] = zxingcpp.read_barcodes(image.convert("L"))
    assert code.text == link["shortUrl"]
    status, headers, _ = get(code.text)
    assert status == 302
    assert headers["Location"].startswith(link["originalUrl"])


def test_the_image_is_stored_under_the_key_of_its_link(
    stack: LocalStack, demo: tuple[Workspace, list[dict[str, Any]]]
) -> None:
    workspace, links = demo
    link = links[3]
    url = f"{stack.base_url}/api/links/{link['shortCode']}/qr?format=svg"

    status, headers, body = get(url, Authorization=workspace.read_key)

    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
    prefix = f"qr/{workspace.workspace_id}/{link['id']}/"
    bucket = stack.outputs["QrBucketName"]
    s3 = stack.client("s3")
    [stored] = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    assert s3.get_object(Bucket=bucket, Key=stored["Key"])["Body"].read() == body
    tag = headers["ETag"]
    status, headers, body = get(url, Authorization=workspace.read_key, If_None_Match=tag)
    assert (status, headers["ETag"], body) == (304, tag, b"")
