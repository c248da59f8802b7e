"""The sample program does what its types say."""

from __future__ import annotations

from tests.client.fake_service import KEY, FakeUnlink
from tests.client.sample_program import tidy
from unlink_client import Unlink


def test_the_sample_program_deletes_its_link(service: FakeUnlink) -> None:
    with Unlink(service.url, KEY) as unlink:
        # The last call of the program changes the link, which the fake service does not offer.
        service.before = lambda request: (
            (200, next(iter(service.links.values())), {}) if request.method == "PUT" else None
        )
        assert tidy(unlink) == ["deleted"]
    assert len(service.delete_requests) == 1
