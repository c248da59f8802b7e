"""The part of botocore's data that the archive keeps: what a client of the functions reads.

The first client of a process parses all of it, so most of it would only slow the start.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The operations that the functions call, by service. The models of all other services go. A test
#: compares this with the calls in `functions/`.
OPERATIONS: dict[str, frozenset[str]] = {
    "dynamodb": frozenset(
        {
            "BatchExecuteStatement",
            "BatchGetItem",
            "BatchWriteItem",
            "GetItem",
            "PutItem",
            "Query",
            "TransactWriteItems",
            "UpdateItem",
        }
    ),
    "events": frozenset({"PutEvents"}),
    "kms": frozenset({"GetPublicKey", "Sign"}),
    "s3": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CreateMultipartUpload",
            "DeleteObjects",
            "GetObject",
            "ListObjectsV2",
            "ListParts",
            "PutObject",
            "UploadPart",
        }
    ),
    "secretsmanager": frozenset({"GetSecretValue"}),
    "sqs": frozenset({"SendMessage"}),
}


def prune_service_models(data: Path) -> None:
    """Remove from botocore's directory `data` what no client of the functions reads.

    The rest is stored uncompressed, because the archive is compressed anyway.
    """
    for path in data.iterdir():
        if path.is_dir() and path.name not in OPERATIONS:
            shutil.rmtree(path)
    for path in data.glob("*/*/examples-1.json*"):
        path.unlink()
    for path in data.glob("*/*/*.json.gz"):
        model = json.loads(gzip.decompress(path.read_bytes()))
        if path.name.startswith("service-2."):
            model = with_operations(model, OPERATIONS[path.parent.parent.name])
        _write_compactly(path.with_suffix(""), without_documentation(model))
        path.unlink()
    endpoints = data / "endpoints.json"
    known = json.loads(endpoints.read_text(encoding="utf-8"))
    for partition in known["partitions"]:
        partition["services"] = {
            name: service for name, service in partition["services"].items() if name in OPERATIONS
        }
    _write_compactly(endpoints, known)


def with_operations(model: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """A service model with these operations, and with the shapes that they refer to."""
    operations = {name: each for name, each in model["operations"].items() if name in names}
    kept: dict[str, Any] = {}
    waiting = list(_shapes_in(operations))
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = model["shapes"][name]
            waiting += _shapes_in(kept[name])
    # In the order of the model, so that the same input gives the same archive.
    shapes = {name: shape for name, shape in model["shapes"].items() if name in kept}
    return model | {"operations": operations, "shapes": shapes}


def _shapes_in(part: Any) -> Iterator[str]:
    """The names of the shapes that this part of a model refers to."""
    if isinstance(part, dict):
        # A member of a structure may have this name as well; its value is not text.
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        for each in part.values():
            yield from _shapes_in(each)
    elif isinstance(part, list):
        for each in part:
            yield from _shapes_in(each)


def without_documentation(model: Any) -> Any:
    """A model with empty texts. A member with this name is not a text, and stays.

    Documentation is emptied and not removed, because botocore expects it (presigning for S3 does).
    """
    if isinstance(model, dict):
        return {
            name: ""
            if name == "documentation" and isinstance(value, str)
            else without_documentation(value)
            for name, value in model.items()
        }
    if isinstance(model, list):
        return [without_documentation(value) for value in model]
    return model


def _write_compactly(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")
