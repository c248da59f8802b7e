"""`python -m local.npm_packages`: install the npm packages that package.json pins, by hash.

npm checks a package against the hash that the registry states, so a compromised registry passes.
Here the hashes are committed, those of the packages' dependencies too, and no script of a package
runs at installation. Needs only the standard library: `make` runs it before anything is
installed.
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


class IntegrityError(RuntimeError):
    """An archive is not the one that package.json pins."""


def integrity_of(archive: Path) -> str:
    """The SHA-512 of a file as npm writes it (W3C Subresource Integrity)."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def install(root: Path, *, npm: str = "npm") -> None:
    """Install the packages into `root`/node_modules.

    Raises `IntegrityError` before anything is installed, `CalledProcessError` when npm fails.
    """
    settings = json.loads((root / "package.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        archives = [
            _checked_archive(
                f"{name}@{version}", settings["integrity"][name], Path(scratch), npm=npm
            )
            for name, version in settings["devDependencies"].items()
        ]
        subprocess.run(
            [
                npm,
                "install",
                *map(str, archives),
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


def _checked_archive(package: str, expected: str, scratch: Path, *, npm: str) -> Path:
    """The archive of `name@version`, fetched into a separate directory and checked."""
    directory = Path(tempfile.mkdtemp(dir=scratch))
    subprocess.run(
        [
            npm,
            "pack",
            package,
            "--ignore-scripts",
            "--silent",
            f"--pack-destination={directory}",
        ],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    [archive] = directory.glob("*.tgz")
    integrity = integrity_of(archive)
    if integrity != expected:
        raise IntegrityError(
            f"{package} is not the archive that package.json pins, so nothing was installed.\n"
            f"  pinned: {expected}\n  got:    {integrity}"
        )
    return archive


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
