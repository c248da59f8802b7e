"""Run all benchmarks, or those whose names are given."""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys

import bench


def _main() -> None:
    names = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    selected = sys.argv[1:]
    if unknown := set(selected) - set(names):
        sys.exit(f"No benchmark named {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    print(
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} processors\n"
    )
    for name in selected or names:
        if name.startswith("_"):
            continue
        module = importlib.import_module(f"bench.{name}")
        if hasattr(module, "main"):
            print(f"## {name}\n", flush=True)
            try:
                module.main()
            except SystemExit as reason:
                # A benchmark that this machine does not support must not stop the others.
                if selected:
                    raise
                print(f"Left out. {reason}")
            print(flush=True)


_main()
