"""The emulator's encodings give what Python's `json` and `uuid` give."""

from __future__ import annotations

import json
import subprocess
import uuid

from local.emulator import EMULATOR_PYTHON, ROOT

_CHECK = """
import json, math
from local import emulator_encoding
from ministack.core import responses
from ministack.services import dynamodb

values = [
    {"S": "é€𝄞\\n\\"", "N": "1.50", "L": [1.0, 0.1, 1e300, True, None, {}]},
    10**30,
    "\\ud800",
    {1: "one"},
]
for value in values:
    text = emulator_encoding.encode(value)
    assert json.loads(text) == json.loads(json.dumps(value)), text
for text in (b'{"a": [1, "\\\\ud83d\\\\ude00"]}', '"\\u00e9"', b'"\\\\ud800"', b"1e5"):
    assert emulator_encoding.decode(text) == json.loads(text), text
assert math.isnan(emulator_encoding.decode(b"NaN"))
for text in (b"", b"{", b"{'a': 1}", b"[1,]"):
    try:
        emulator_encoding.decode(text)
    except json.JSONDecodeError:
        continue
    raise AssertionError(text)

def respond():
    all = [dynamodb.json_response({"é": [1]}), dynamodb.json_response({"é": [1]}, 400)]
    return [(status, headers, json.loads(content)) for status, headers, content in all]

before = respond()
emulator_encoding.patch(dynamodb, responses)
assert respond() == before
first = dynamodb.json_response({})[1]
first["added"] = "x"
assert "added" not in dynamodb.json_response({})[1]
print(json.dumps([responses.new_uuid() for _ in range(1000)]))
"""


def test_json_and_ids_are_those_of_the_standard_library() -> None:
    done = subprocess.run(
        [EMULATOR_PYTHON, "-c", _CHECK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ids = json.loads(done.stdout)
    assert len(set(ids)) == 1000
    for text in ids:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)
