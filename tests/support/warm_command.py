"""A command for a script that runs it many times, without its start each time.

A server imports the command's packages once. It runs each command in a separate fork, with the
directory, environment and streams of the process that asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_REQUEST_BYTES = 200_000
_FAILED = 255

#: What a script runs in place of the command. Without `site` it starts in 20 ms.
_ASK = f"""
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    asked = {{"arguments": sys.argv[2:], "directory": os.getcwd(), "environment": {{**os.environ}}}}
    socket.send_fds(server, [b"-"], [0, 1, 2])
    server.sendall(json.dumps(asked).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit((server.recv(1) or bytes([{_FAILED}]))[0])
"""


@contextlib.contextmanager
def warm_command(module: str, directory: Path, environment: dict[str, str]) -> Iterator[list[str]]:
    """The words that stand for the command; the server's socket is in ``directory``.

    ``module`` is a program that calls :func:`serve`, and ``environment`` is for its imports.
    """
    path, program = directory / "warm.socket", directory / "ask.py"
    program.write_text(_ASK, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", module, str(path)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n", f"{module} did not start"
            yield [sys.executable, "-IS", str(program), str(path)]
        finally:
            server.kill()


def serve(path: str, run: Callable[[list[str]], int]) -> None:
    """Run commands, each as ``run(arguments)`` in its own process, until killed."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(connection, run)
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(connection: socket.socket, run: Callable[[list[str]], int]) -> None:
    """Run one command and end this process."""
    code = _FAILED
    try:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile("rb") as file:
            asked = json.loads(file.read(_REQUEST_BYTES))
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(asked["directory"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        code = run(asked["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else _FAILED
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code]))
        os._exit(code)
