"""Starts and stops MiniStack, the AWS emulator of local runs and tests, as a child process.

It gets its settings in a cleaned environment: the functions that it runs inherit it, so a host's
AWS_* variables or ~/.aws would otherwise reach them. `local/emulator_process.py` is the child.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
LOCAL_DIR = ROOT / ".local"
EMULATOR_PYTHON = LOCAL_DIR / "ministack-venv" / "bin" / "python"

HOST = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT = "000000000000"
"""MiniStack's account for credentials that do not name another (any 12-digit access key)."""

_START_SECONDS = 60
_STOP_SECONDS = 5
_PORT_TRIES = 3

_PROGRAM = "local.emulator_process"

# glibc (mallopt(3)) gives the memory of each large response back to the kernel by default, which
# clears every page of it again for the next one.
_KEPT_BYTES = str(16 << 20)
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": _KEPT_BYTES, "MALLOC_TRIM_THRESHOLD_": _KEPT_BYTES}
_one_client = threading.Lock()
_REMOVE = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)"


class EmulatorError(RuntimeError):
    """The emulator is not installed, or did not start."""


def free_port() -> int:
    """A free TCP port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def credentials() -> dict[str, str]:
    """Environment variables with which an AWS client uses the emulator's account."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def without_aws(environment: dict[str, str]) -> dict[str, str]:
    """`environment` without the host's AWS settings, profiles included."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    # Files that do not exist: otherwise ~/.aws would be read.
    kept["AWS_CONFIG_FILE"] = kept["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    return kept


class Emulator:
    """A running MiniStack on 127.0.0.1. Use as a context manager, or call `stop`."""

    def __init__(
        self,
        *,
        port: int | None = None,
        log_name: str = "emulator",
        extension: Path | None = None,
    ) -> None:
        """Start the emulator and wait until it answers; raises `EmulatorError`.

        Without `port` a free one is chosen. The log is `.local/logs/{log_name}.log`. `extension` is
        a package that the emulator's process imports; its `extend` gets the ASGI application and
        returns the one that is served.
        """
        if not EMULATOR_PYTHON.exists():
            raise EmulatorError(
                "The local AWS emulator is not installed. `make run` and `make test` install it."
            )
        self._clients: dict[str, Any] = {}
        self._extension = extension
        self.log_path = LOCAL_DIR / "logs" / f"{log_name}.log"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix="unlink-emulator-"))
        try:
            self.port, self._process = self._start(port)
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise

    @property
    def url(self) -> str:
        """The endpoint of every AWS service, without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    @property
    def process_id(self) -> int:
        """Also the id of the process group that the functions run in."""
        return self._process.pid

    @property
    def state_directory(self) -> Path:
        """The directory of its state, such as the signing keys of user pools."""
        return self._directory / "state"

    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client of `service` for this emulator.

        Annotate the result where it is used.
        """
        if settings:
            return client(self.url, service, **settings)
        if service not in self._clients:
            self._clients[service] = client(self.url, service)
        return self._clients[service]

    def stop(self) -> None:
        """Stop the emulator and the functions that it runs. Safe to call twice."""
        _end(self._process)
        # Every worker of a function unpacked its own copy. Removing them can take a minute, so it
        # runs in the background.
        subprocess.Popen(
            [sys.executable, "-c", _REMOVE, str(self._directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, port: int | None) -> tuple[int, subprocess.Popen[bytes]]:
        tries = 1 if port else _PORT_TRIES
        for left in range(tries, 0, -1):
            chosen = port or free_port()
            process = self._spawn(chosen)
            try:
                if _wait_until_ready(process, chosen):
                    return chosen, process
            except BaseException:
                _end(process)
                raise
            _end(process)
            # Another process may have taken the port between the check and the start.
            if left == 1:
                break
        raise EmulatorError(
            f"The emulator did not start; its log is {self.log_path}\n{self._tail()}"
        )

    def _spawn(self, port: int) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),
            "S3_DATA_DIR": str(self._directory / "s3"),
            # The directory of the signing keys of user pools; by default all emulators share one in
            # /tmp.
            "STATE_DIR": str(self.state_directory),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            # Its MQTT broker would listen on all interfaces.
            "IOT_MTLS_ENABLED": "false",
            "MINISTACK_REGION": REGION,
            "LOG_LEVEL": "INFO",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            **_KEEP_MEMORY,
        }
        if self._extension is not None:
            environment["EMULATOR_EXTENSION"] = str(self._extension)
        with self.log_path.open("wb") as log:
            # A separate session: Ctrl-C reaches only this process, which then stops the emulator.
            return subprocess.Popen(
                [str(EMULATOR_PYTHON), "-m", _PROGRAM],
                cwd=self._directory,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _tail(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


def client(endpoint_url: str, service: str, **settings: Any) -> Any:
    """A boto3 client of `service` at `endpoint_url`, independent of the host's AWS settings."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=32,
        read_timeout=120,
        s3={"addressing_style": "path"},
    )
    make: Any = _session().client
    # A session makes one client at a time.
    with _one_client:
        return make(service, endpoint_url=endpoint_url, **{"config": config, **settings})


@cache
def _session() -> boto3.session.Session:
    """One for all clients: each session reads the endpoints of all services again."""
    known = credentials()
    return boto3.session.Session(
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """True when the emulator answers; False if it ended or took too long."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/_ministack/ready", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate the process group, then kill it."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except (ProcessLookupError, PermissionError):
            # The group is empty. (macOS says "not permitted" when only zombies are left.)
            break
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
