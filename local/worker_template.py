"""The process that `local/emulator_forks.py` forks for each new process of a function.

Its arguments are the descriptor of a socket and the directory of an unpacked archive. It imports
modules of the archive, and nothing of this directory.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import sys
from pathlib import Path
from typing import Any

_MESSAGE_BYTES = 1 << 20

#: The modules that are imported before a fork: botocore, pydantic, Powertools, and what most
#: functions share. None of them reads a setting of a function at its import. The first must come
#: first: it leaves out what no function uses.
PRELOADED = (
    "functions.aws.session",
    "functions.powertools",
    "functions.schemas.links",
    "functions.schemas.new_deletion",
    "functions.api.routes.restore_deletion",
    "functions.api.routes.analytics",
    "functions.services.export_lines",
    "functions.services.deletion",
    "functions.services.resolve_filter",
    "functions.api.public_keys",
)
#: As in the stack's functions. Otherwise pydantic looks for plugins in all installed packages.
SETTINGS = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}


def requested(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """In a fork: the request for it and its pipes. In this process, None at the end."""
    while True:
        message, pipes, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, 3)
        if not message:
            return None
        reader, writer = os.pipe()
        middle = os.fork()
        if middle == 0:
            # The parent of the function's process ends at once, so the emulator adopts it.
            worker = os.fork()
            if worker == 0:
                for descriptor in (reader, writer):
                    os.close(descriptor)
                request: dict[str, Any] = json.loads(message)
                return request, pipes
            os.write(writer, str(worker).encode())
            os._exit(0)
        os.waitpid(middle, 0)
        requests.send(os.read(reader, 32))
        for descriptor in (reader, writer, *pipes):
            os.close(descriptor)


def become(request: dict[str, Any], pipes: list[int]) -> None:
    """Take over the environment, the directory and the pipes of a function."""
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["program"]]
    sys.path[:0] = [str(Path(request["program"]).parent)]


def preload(code: str) -> None:
    """Import `PRELOADED` from an unpacked archive; other functions than the stack's lack them."""
    os.environ.update(SETTINGS)
    sys.path[:0] = [code]
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.path.remove(code)
    # The forks then neither look through these objects nor copy their pages.
    gc.freeze()


def main() -> None:
    """Fork processes until the socket is closed; in a fork, run the program of a function."""
    descriptor, code = sys.argv[1:]
    preload(code)
    with socket.socket(fileno=int(descriptor)) as requests:
        fork = requested(requests)
    if fork:
        become(*fork)
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
