"""Brings up the whole service on this machine: `make run` and the end-to-end tests share it.

It deploys the synthesized stack with the stage `local`; `infra.stages` has the settings that
differ between stages.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.demo_data import Access, Workspace
from local.emulator import (
    ACCOUNT,
    HOST,
    LOCAL_DIR,
    REGION,
    ROOT,
    Emulator,
    credentials,
    without_aws,
)
from local.gateway_proxy import Bridge
from local.upstream import deployed_upstream

STAGE = "local"
CDK = ROOT / "node_modules" / ".bin" / "cdk"
_COMPILE_CACHE = Path(__file__).with_name("compile_cache.cjs")

# The resources of `cdk bootstrap` that the deployment needs; the CLI would take seconds for them.
_ASSET_BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
_BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_VERSION = "99"

# The inputs of a synthesized template, besides the stage's settings.
_SYNTH_INPUTS = (
    *("app.py", "cdk.json", "package.json", "requirements-dev.txt"),
    *("infra", "functions", "console"),
)
_SYNTH_SUFFIXES = frozenset((".py", ".json", ".txt", ".html", ".js", ".css", ".svg"))
_DEPLOY_SECONDS = 300

#: Stands for a stack's base URL in the assembly that all local stacks share.
_ANY_URL = "https://base-url.invalid"

Say = Callable[[str], None]


class StackError(RuntimeError):
    """The stack could not be started; the message says what to do."""


class PortTakenError(StackError):
    """Another process listens on the port."""


@dataclass(frozen=True)
class LocalStack:
    """The running service. `outputs` are those of the deployed stack, by name."""

    base_url: str
    emulator: Emulator
    outputs: dict[str, str]
    access: Access

    def client(self, service: str) -> Any:
        """A boto3 client of `service` for the emulator. Give the result its type where used."""
        return self.emulator.client(service)

    def new_workspace(self, plan: str = "enterprise") -> Workspace:
        """A new workspace with a set of keys, for tests that must not see other links."""
        return self.access.add_workspace(plan=plan)

    def routes(self) -> list[tuple[str, str]]:
        """(method, path) of each route of the deployed API, without preflights and catch-alls."""
        gateway = self.client("apigateway")
        pages = gateway.get_paginator("get_resources").paginate(
            restApiId=self.outputs["ApiId"], embed=["methods"]
        )
        return sorted(
            (method, str(resource["path"]))
            for page in pages
            for resource in page["items"]
            for method in resource.get("resourceMethods", {})
            if method not in {"OPTIONS", "ANY"}
        )


def bind(port: int = 0) -> Bridge:
    """Bind the port (0: any free one) before the slow steps; raises `PortTakenError`.

    Give the bridge to `running`.
    """
    try:
        return Bridge(port)
    except PermissionError:
        raise PortTakenError(f"Port {port} may not be used by this user.") from None
    except OSError:
        raise PortTakenError(
            f"Port {port} is taken. Stop what listens there, or choose another: "
            f"PORT={port + 1 if port < 65535 else 8000} make run"
        ) from None


@contextlib.contextmanager
def running(
    bridge: Bridge, *, name: str, say: Say, extension: Path | None = None
) -> Iterator[LocalStack]:
    """The emulator, the deployed stack and the proxy in front of it; all are stopped afterwards.

    `name` separates the files of several runs; `say` receives progress messages; `extension` is
    the emulator's. Raises `StackError` and `EmulatorError`.
    """
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(bridge.stop)
        with _step(say, f"Starting the AWS emulator (MiniStack) on {HOST}"):
            emulator = cleanup.enter_context(
                Emulator(log_name=f"{name}-emulator", extension=extension)
            )
        outputs = _deploy(emulator, public_base_url=bridge.url, name=name, say=say)
        with _step(say, f"Opening {bridge.url} in front of the deployed API"):
            bridge.start(
                deployed_upstream(
                    emulator_url=emulator.url,
                    api_id=outputs["ApiId"],
                    stage=outputs["StageName"],
                    authorizer_function=outputs["AuthorizerFunctionName"],
                )
            )
        yield LocalStack(bridge.url, emulator, outputs, Access(emulator, outputs))


@contextlib.contextmanager
def _step(say: Say, what: str) -> Iterator[None]:
    began = time.monotonic()
    say(f"{what} ...")
    yield
    say(f"  done in {time.monotonic() - began:.1f} s")


def _deploy(emulator: Emulator, *, public_base_url: str, name: str, say: Say) -> dict[str, str]:
    """Deploy the stack with the CDK CLI and return its outputs by name."""
    if not CDK.exists():
        raise StackError("The CDK CLI is not installed. `make run` and `make test` install it.")
    emulator.client("s3").create_bucket(Bucket=_ASSET_BUCKET)
    emulator.client("ssm").put_parameter(
        Name=_BOOTSTRAP_PARAMETER, Type="String", Value=_BOOTSTRAP_VERSION
    )
    outputs_file = LOCAL_DIR / "cdk" / f"{name}-outputs.json"
    log_file = LOCAL_DIR / "logs" / f"{name}-deploy.log"
    for directory in (outputs_file.parent, log_file.parent):
        directory.mkdir(parents=True, exist_ok=True)
    environment = _cdk_environment(emulator)
    log_file.unlink(missing_ok=True)

    assembly = LOCAL_DIR / "cdk" / name
    _synthesize(assembly, environment, log_file, say)
    for template in assembly.glob("*.template.json"):
        template.write_text(template.read_text("utf-8").replace(_ANY_URL, public_base_url), "utf-8")
    drop_metadata(assembly)
    with _step(say, "Deploying it with the CDK CLI"):
        outputs_file.unlink(missing_ok=True)
        _cdk(
            [
                "deploy",
                f"--app={assembly}",
                f"--outputs-file={outputs_file}",
                "--require-approval=never",
                "--method=direct",
            ],
            environment,
            log_file,
        )
    (outputs,) = json.loads(outputs_file.read_text()).values()
    return {str(key): str(value) for key, value in outputs.items()}


def _synthesize(assembly: Path, environment: dict[str, str], log_file: Path, say: Say) -> None:
    """Copy the assembly of every local stack, whose base URL is `_ANY_URL`, to ``assembly``.

    Synthesis takes eight seconds of CPU, so stacks on other ports do not repeat it.
    """
    shared = LOCAL_DIR / "cdk" / "shared"
    context = {"stage": STAGE, "publicBaseUrl": _ANY_URL}
    fingerprint = _fingerprint(context)
    stamp = shared / ".fingerprint"
    shutil.rmtree(assembly, ignore_errors=True)
    with shared.with_suffix(".lock").open("w") as lock:
        # Another stack may start at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != fingerprint:
            what = "Synthesizing the stack (packages the functions; longer the first time)"
            with _step(say, what):
                shutil.rmtree(shared, ignore_errors=True)
                settings = [f"--context={key}={value}" for key, value in context.items()]
                _cdk(["synth", "--quiet", f"--output={shared}", *settings], environment, log_file)
                stamp.write_text(fingerprint)
        shutil.copytree(shared, assembly)


def drop_metadata(assembly: Path) -> None:
    """Empty the files with the constructs' metadata.

    The CDK CLI only prints construct paths from them, but reads and parses them twice for each
    event of a resource: half of the CPU of a deployment.
    """
    for file in assembly.glob("*.metadata.json"):
        file.write_text("{}", "utf-8")


def _cdk_environment(emulator: Emulator) -> dict[str, str]:
    # Synthesize with this interpreter, independent of the caller's PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    options = os.environ.get("NODE_OPTIONS", "")
    return {
        **without_aws(dict(os.environ)),
        **credentials(),
        "PATH": path,
        "AWS_ENDPOINT_URL": emulator.url,
        # With it the CLI addresses buckets by path; virtual hosts would need a resolver.
        "AWS_ENDPOINT_URL_S3": emulator.url,
        "CDK_DISABLE_CLI_TELEMETRY": "1",
        # It takes eight seconds to load, and prints warnings to a log.
        "CDK_VALIDATION": "false",
        # Node.js 20 has no such cache of its own.
        "NODE_COMPILE_CACHE": str(LOCAL_DIR / "node-cache"),
        "NODE_OPTIONS": f"{options} --require={json.dumps(str(_COMPILE_CACHE))}".lstrip(),
        "CI": "true",
    }


def _cdk(arguments: list[str], environment: dict[str, str], log_file: Path) -> None:
    """Run the CDK CLI; its output goes to the log, and to the error if it fails."""
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [str(CDK), *arguments, "--no-notices"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=_DEPLOY_SECONDS)
        except BaseException:
            # Ctrl-C, or too slow: end its Python and Node children too.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if code != 0:
        lines = log_file.read_text(errors="replace").splitlines()
        # jsii repeats a banner about the age of this Node release.
        tail = "\n".join([line for line in lines if not line.startswith("b'!!")][-30:])
        raise StackError(f"cdk {arguments[0]} failed; its log is {log_file}\n{tail}")


def _fingerprint(context: dict[str, str]) -> str:
    """A hash of everything that a synthesized assembly depends on."""
    digest = hashlib.sha256(json.dumps([context, sys.version]).encode())
    for entry in _SYNTH_INPUTS:
        path = ROOT / entry
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.suffix in _SYNTH_SUFFIXES and file.is_file():
                digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()
