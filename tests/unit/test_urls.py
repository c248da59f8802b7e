"""The URLs of the service, and destinations that point to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from functions.domain.errors import InvalidRequest
from functions.domain.redirect_target import with_campaign
from functions.domain.urls import api_base, own_hosts, points_to_own_host, short_url_base
from functions.schemas.links import parse_new_links
from tests.conftest import forget_caches


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("PUBLIC_BASE_URL", "API_BASE_URL", "OWN_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    forget_caches()
    yield
    forget_caches()


def event(path: str, resource: str = "/api/links/{id}", domain: str = "go.example") -> Any:
    return {
        "resource": resource,
        "requestContext": {"path": path, "domainName": domain, "apiId": "abc123"},
    }


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/prod/api/links/x", "https://go.example/prod"),
        ("/api/links/x", "https://go.example"),
        ("/l/api/links/x", "https://go.example/l"),
        # The gateway ignores a slash at the end and passes the path on as it was sent.
        ("/prod/api/links/x/", "https://go.example/prod"),
        ("/prod/api/links/%78", "https://go.example/prod"),
        ("/prod/%61pi/links/x", "https://go.example/prod"),
    ],
)
def test_the_base_url_is_the_part_before_the_resource(path: str, base: str) -> None:
    assert short_url_base(event(path)) == base
    assert api_base(event(path)) == base


def test_the_configured_base_url_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://l.example")
    forget_caches()
    assert short_url_base(event("/prod/api/links/x")) == "https://l.example"
    # CloudFront, in front of the short links, does not serve the API.
    assert api_base(event("/prod/api/links/x")) == "https://go.example/prod"
    monkeypatch.setenv("API_BASE_URL", "https://api.example")
    forget_caches()
    assert api_base(event("/prod/api/links/x")) == "https://api.example"


@pytest.mark.parametrize(
    "address",
    [
        "https://l.example/abcd",
        "https://L.EXAMPLE/abcd",
        "http://l.example/abcd",
        "https://l.example:443/abcd",
        "http://l.example:80/abcd",
        "https://l.example./abcd",
        "https://l.example",
        "https://go.example/prod/abcd",
        "https://abc123.execute-api.eu-central-1.amazonaws.com/prod/abcd",
    ],
)
def test_every_form_of_the_services_url_is_recognised(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://l.example")
    forget_caches()
    assert points_to_own_host(address, own_hosts(event("/prod/api/links/x")))


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/",
        "https://l.example.evil.test/",
        "https://l.example:8443/",
        "https://xyz789.execute-api.eu-central-1.amazonaws.com/prod/",
    ],
)
def test_other_urls_are_not_the_service(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://l.example")
    forget_caches()
    assert not points_to_own_host(address, own_hosts(event("/prod/api/links/x")))


def test_a_missing_request_url_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """MiniStack's events have no domainName."""
    monkeypatch.setenv("PUBLIC_BASE_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("API_BASE_URL", "http://127.0.0.1:8000")
    forget_caches()
    local = event("/local/api/links/x")
    del local["requestContext"]["domainName"]
    assert short_url_base(local) == api_base(local) == "http://127.0.0.1:8000"
    assert points_to_own_host("http://localhost:8000/abcd", own_hosts(local))


@pytest.mark.parametrize(
    "address",
    [
        "https://l.example\\.evil.test/",
        "https://%6c.example/",
        "https://ｌ.example/",
        "https://l。example/",
        "https://[::1%25eth0]/",
        "https://l.example\\@evil.test/",
    ],
)
def test_a_host_that_browsers_parse_differently_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_new_links({"originalUrl": address})


@pytest.mark.parametrize(
    ("address", "location"),
    [
        ("https://bücher.example/é", "https://xn--bcher-kva.example/%C3%A9"),
        ("https://BÜCHER.example./é", "https://xn--bcher-kva.example./%C3%A9"),
        ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/"),
        ("https://xn--fa-hia.example/é", "https://xn--fa-hia.example/%C3%A9"),
        # The WHATWG rules keep what IDNA 2003 replaced: sharp s, and the joiners of Persian.
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://نامه\u200cای.com/", "https://xn--mgba3gch31f060k.com/"),
        ("https://[::1]:8000/é", "https://[::1]:8000/%C3%A9"),
        ("https://a_b.example/é", "https://a_b.example/%C3%A9"),
        (f"https://{'a' * 63}.example/é", f"https://{'a' * 63}.example/%C3%A9"),
    ],
)
def test_every_accepted_host_can_be_redirected_to(address: str, location: str) -> None:
    [link] = parse_new_links({"originalUrl": address})
    assert with_campaign(link.originalUrl, {}) == location


@pytest.mark.parametrize("public", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "api.localhost",
        "127.1.2.3",
        "127.1",
        "2130706433",
        "0x7f.1",
        "017700000001",
        "0.0.0.0",
        "0",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::FFFF:7F00:1]",
        "127.0.0.1.",
    ],
)
def test_all_forms_of_localhost_are_the_same_host(
    monkeypatch: pytest.MonkeyPatch, host: str, public: str
) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", f"http://{public}:8000")
    forget_caches()
    own = own_hosts(event("/local/api/links/x"))
    assert points_to_own_host(f"http://{host}:8000/abcd", own)
    assert not points_to_own_host(f"http://{host}:8001/abcd", own)


@pytest.mark.parametrize(
    ("own", "address"),
    [
        ("http://192.0.2.7", "http://3221225991/abcd"),
        ("http://192.0.2.7", "http://[::ffff:192.0.2.7]/abcd"),
        ("http://192.0.2.7", "http://192.0.519/abcd"),
        ("http://[2001:db8::1]", "http://[2001:DB8:0::0:1]/abcd"),
        ("https://bücher.example", "https://xn--bcher-kva.example/abcd"),
        ("https://xn--bcher-kva.example", "https://BÜCHER.example/abcd"),
    ],
)
def test_other_forms_of_the_services_host_are_recognised(
    monkeypatch: pytest.MonkeyPatch, own: str, address: str
) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", own)
    forget_caches()
    assert points_to_own_host(address, own_hosts(event("/prod/api/links/x")))


@pytest.mark.parametrize("host", ["l.example", "D111.cloudfront.net", "d111.cloudfront.net."])
def test_the_custom_domain_and_the_distribution_are_recognised(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://s.example")
    monkeypatch.setenv("OWN_HOSTS", "d111.cloudfront.net l.example")
    forget_caches()
    own = own_hosts(event("/prod/api/links/x"))
    assert points_to_own_host(f"https://{host}/abcd", own)
    assert not points_to_own_host("https://d222.cloudfront.net/abcd", own)
