"""The client that waits is generated from the asynchronous one."""

from __future__ import annotations

from generate_sync import PACKAGE, sync_modules


def test_the_generated_client_is_up_to_date() -> None:
    expected = sync_modules()
    assert set(expected) == set((PACKAGE / "sync").glob("*.py"))
    stale = [path.name for path, text in expected.items() if path.read_text("utf-8") != text]
    assert stale == [], "run `make client`"
