"""The AWS CLI as a warm command: 0.05 s of CPU for each run in place of 0.55."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from typing import Any

from tests.support.warm_command import serve


def main() -> None:
    """Serve until killed. The environment has the emulator's endpoint and credentials."""
    create_clidriver: Any = importlib.import_module("awscli.clidriver").create_clidriver

    # A first command loads the modules and service models that all forks share.
    first = create_clidriver()
    with contextlib.redirect_stdout(io.StringIO()):
        first.main(["sts", "get-caller-identity"])
    models = first.session.get_component("data_loader")
    for service in ("cloudformation", "dynamodb", "logs"):
        models.load_service_model(service, "service-2")
    # Each fork is the first to use this one.
    driver = create_clidriver()
    driver.session.register_component("data_loader", models)

    def run(arguments: list[str]) -> int:
        sys.argv = ["aws", *arguments]
        return int(driver.main(arguments))

    serve(sys.argv[1], run)


if __name__ == "__main__":
    main()
