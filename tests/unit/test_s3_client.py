"""The bytes that the real SDK signs and sends to S3."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from functions.aws.client import client
from functions.repositories.exports import URL_SECONDS, ExportsBucket
from tests.conftest import forget_caches

BUCKET = "unlink-exports"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    forget_caches()
    yield
    forget_caches()


def s3(monkeypatch: pytest.MonkeyPatch, region: str) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_REGION", region)
    forget_caches()
    return client("s3")


# The last opened after 2019: S3's global host does not know its buckets at all.
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "me-central-1"])
def test_a_signed_url_points_to_the_buckets_region(
    monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    url = urlsplit(
        s3(monkeypatch, region).generate_presigned_url(
            "get_object", Params={"Bucket": BUCKET, "Key": "exports/a.ndjson"}, ExpiresIn=60
        )
    )

    # us-east-1 is what the global host is.
    host = "s3.amazonaws.com" if region == "us-east-1" else f"s3.{region}.amazonaws.com"
    assert url.netloc == f"{BUCKET}.{host}"
    assert (url.scheme, url.path) == ("https", "/exports/a.ndjson")
    signed = parse_qs(url.query)
    assert signed["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert signed["X-Amz-Credential"][0].split("/")[2:4] == [region, "s3"]


def test_on_this_machine_the_bucket_stays_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    url = urlsplit(
        s3(monkeypatch, "us-east-1").generate_presigned_url(
            "get_object", Params={"Bucket": BUCKET, "Key": "exports/a.ndjson"}
        )
    )
    assert (url.netloc, url.path) == ("127.0.0.1:4566", f"/{BUCKET}/exports/a.ndjson")


def test_an_upload_part_has_no_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    made = s3(monkeypatch, "eu-central-1")
    sent: list[Any] = []

    def response(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        headers = HTTPHeaders.from_dict({"ETag": '"x"'})
        return AWSResponse(request.url, 200, headers, _Body())

    made.meta.events.register("before-send.s3", response)
    made.upload_part(Bucket=BUCKET, Key="exports/a", UploadId="u", PartNumber=1, Body=b"line\n")

    [request] = sent
    names = {name.lower() for name in request.headers}
    assert {name for name in names if "checksum" in name or name == "x-amz-trailer"} == set()
    assert request.url.startswith(f"https://{BUCKET}.s3.eu-central-1.amazonaws.com/exports/a?")


class _Body:
    """An empty response as urllib3 hands it over."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield b""


def in_minutes(minutes: int) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def test_a_url_is_not_signed_with_credentials_that_end_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the credentials say when they end, botocore replaces those that have 15 minutes."""
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", in_minutes(URL_SECONDS // 60 - 1))
    signer = s3(monkeypatch, "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDNEXT")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", in_minutes(12 * 60))

    before = int(time.time())
    url, until = ExportsBucket(signer, BUCKET).url("exports/a.ndjson")

    signed = parse_qs(urlsplit(url).query)
    assert signed["X-Amz-Credential"][0].startswith("AKIDNEXT/")
    assert signed["X-Amz-Expires"] == [str(URL_SECONDS)]
    begin = datetime.strptime(signed["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    # Never later than S3's own end of the URL, whose second is that of the signature.
    assert before + URL_SECONDS <= until <= begin.timestamp() + URL_SECONDS
