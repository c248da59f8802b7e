"""How the assembly of a local stack is prepared."""

from __future__ import annotations

from pathlib import Path

from local.stack import drop_metadata


def test_only_the_metadata_of_constructs_is_emptied(tmp_path: Path) -> None:
    for name in ("Unlink.metadata.json", "Unlink.template.json", "manifest.json"):
        (tmp_path / name).write_text('{"kept": true}', encoding="utf-8")

    drop_metadata(tmp_path)

    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == {
        "Unlink.metadata.json": "{}",
        "Unlink.template.json": '{"kept": true}',
        "manifest.json": '{"kept": true}',
    }
