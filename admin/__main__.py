"""`python -m admin`: the command of operators. See docs/access.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from admin.arguments import build_parser, own_arguments
from admin.commands import Refused
from admin.connection import client_maker, connect
from admin.output import as_text
from functions.domain.errors import UnlinkError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 if done, 1 if refused or failed, 2 for wrong arguments."""
    options = build_parser().parse_args(arguments)
    say = _say if not (options.quiet or options.json) else _say_nothing
    try:
        if "run_on_account" in options:
            say(f"{options.doing} ...")
            result = options.run_on_account(client_maker(), options)
        else:
            stack = options.stack or f"Unlink-{options.stage}"
            say(f"Reading the outputs of {stack} ...")
            deployment = connect(stack)
            say(f"{options.doing} ...")
            result = options.run(deployment, **own_arguments(options))
    except Refused as refused:
        return _fail(str(refused))
    except UnlinkError as error:
        # Its own message is for API clients. The cause is the service's error.
        return _fail(f"{error}: {error.__cause__ or 'no response in time'}")
    except (ClientError, BotoCoreError) as error:
        return _fail(str(error))
    if options.json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write(as_text(result))
    return int("failed" in options and options.failed(result))


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _say_nothing(_line: str) -> None:
    pass


def _fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
