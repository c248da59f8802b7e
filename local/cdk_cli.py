"""`python -m local.cdk_cli`: install the CDK CLI that package.json pins, if its hash is right.

npm checks a package against the hash that the registry tells, so a registry that was taken over
passes. Here the hash is committed. The CLI is one archive without dependencies, and no script of it
runs at installation. Needs only the standard library: `make` runs it before anything is installed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "aws-cdk"


class IntegrityError(RuntimeError):
    """The archive is not the one that package.json pins."""


def integrity_of(archive: Path) -> str:
    """The SHA-512 of a file as npm writes it (W3C Subresource Integrity)."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def install(root: Path, *, npm: str = "npm") -> None:
    """Install the CLI into `root`/node_modules.

    Raises `IntegrityError` before anything is installed, `CalledProcessError` when npm fails.
    """
    settings = json.loads((root / "package.json").read_text(encoding="utf-8"))
    version, expected = settings["devDependencies"][PACKAGE], settings["integrity"][PACKAGE]
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [
                npm,
                "pack",
                f"{PACKAGE}@{version}",
                "--ignore-scripts",
                "--silent",
                f"--pack-destination={scratch}",
            ],
            cwd=scratch,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        [archive] = Path(scratch).glob("*.tgz")
        found = integrity_of(archive)
        if found != expected:
            raise IntegrityError(
                f"{PACKAGE} {version} is not the archive that package.json pins, so it was not "
                f"installed.\n  pinned: {expected}\n  got:    {found}"
            )
        subprocess.run(
            [
                npm,
                "install",
                str(archive),
                "--ignore-scripts",
                "--no-save",
                "--no-package-lock",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
            ],
            cwd=root,
            check=True,
        )


def main() -> int:
    """The exit code of the process."""
    try:
        install(ROOT)
    except IntegrityError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"npm failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
