"""The function's end of the socket for calls of DynamoDB, when the emulator does not answer."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.config
import botocore.handlers
import botocore.session
import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local import worker_calls

Answer = Callable[[socket.socket], None]


def _request(connection: socket.socket) -> bytes:
    size = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
    return connection.recv(size, socket.MSG_WAITALL)


def _tables(connection: socket.socket) -> None:
    """Answer with the name of the operation that was called."""
    target, _, _ = _request(connection).partition(b"\n")
    body = json.dumps({"TableNames": [target.decode()]}).encode()
    answer = json.dumps([200, {"Content-Type": "application/x-amz-json-1.0"}]).encode()
    message = answer + b"\n" + body
    for byte in len(message).to_bytes(4, "big") + message:
        connection.sendall(bytes([byte]))


def _close(connection: socket.socket) -> None:
    _request(connection)
    connection.close()


def _keep_silent(connection: socket.socket) -> None:
    _request(connection)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Serves as many connections as it gets answers, one after the other."""
    path = os.fspath(tmp_path / "calls")
    monkeypatch.setenv("EMULATOR_CALLS", path)
    monkeypatch.setattr(worker_calls, "_READ_SECONDS", 1)
    handlers = [*botocore.handlers.BUILTIN_HANDLERS]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
    worker_calls.send_calls_over_a_socket()
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(path)
        server.listen()

        def answer_all(answers: tuple[Answer, ...]) -> None:
            for answer in answers:
                connection, _ = server.accept()
                answer(opened.enter_context(connection))

        def start(*answers: Answer) -> None:
            threading.Thread(target=answer_all, args=[answers], daemon=True).start()

        yield start


def _client() -> Any:
    return botocore.session.get_session().create_client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        endpoint_url="http://127.0.0.1:1",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize(
    ("answer", "error"), [(_close, ConnectionClosedError), (_keep_silent, ReadTimeoutError)]
)
def test_a_call_without_an_answer_fails_and_the_next_has_a_new_connection(
    serve: Callable[..., None], answer: Answer, error: type[Exception]
) -> None:
    serve(answer, _tables)
    client = _client()
    with pytest.raises(error):
        client.list_tables()
    assert client.list_tables()["TableNames"] == ["DynamoDB_20120810.ListTables"]


@pytest.mark.usefixtures("serve")
def test_an_emulator_that_ended_is_a_closed_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMULATOR_CALLS", "/nothing")
    with pytest.raises(ConnectionClosedError):
        _client().list_tables()


def test_without_a_socket_calls_are_sent_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMULATOR_CALLS", raising=False)
    before = [*botocore.handlers.BUILTIN_HANDLERS]
    worker_calls.send_calls_over_a_socket()
    assert before == botocore.handlers.BUILTIN_HANDLERS
