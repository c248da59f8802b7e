"""`python -m admin`: the command of operators. See docs/access.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from admin import commands
from admin.commands import Deployment, Record, Refused
from functions.domain.click_retention import DEFAULT_CLICK_RETENTION_DAYS
from functions.domain.clock import iso
from functions.domain.errors import UnlinkError
from functions.domain.plans import SCOPES, plans
from functions.domain.policies import DEFAULT_UNDO_MINUTES, NAMES, Policies
from functions.domain.scopes import ROLES

#: The emulator's credentials. A real account's credentials are never sent to it.
_LOCAL_CREDENTIALS = {
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
    "region_name": "us-east-1",
}

_ABOUT = """\
Workspaces, plans, policies, members and API keys of a deployed stack.

The stack is found by its name (Unlink-{stage}) with the AWS credentials and region of the
environment. For the local stack set AWS_ENDPOINT_URL, as `.local/demo.env` does.
"""

_EXAMPLES = """\
examples:
  python -m admin workspace create acme --plan pro --retention-days 90
  python -m admin key issue acme --name ci --scopes linksRead,linksWrite
  python -m admin key rotate acme key-0123456789abcdef --grace-hours 24
  python -m admin --json key list acme
"""

Command = Callable[[Deployment, argparse.Namespace], Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 refused or failed, 2 wrong usage."""
    given = _parser().parse_args(arguments)
    say = _say if not (given.quiet or given.json) else _say_nothing
    try:
        say(f"Reading the outputs of {given.stack or f'Unlink-{given.stage}'} ...")
        deployment = connect(given.stack or f"Unlink-{given.stage}")
        say(f"{given.doing} ...")
        result = given.run(deployment, given)
    except Refused as refused:
        return _fail(str(refused))
    except UnlinkError as error:
        # The error of `functions` is short; its cause has AWS's message.
        return _fail(f"{error}: {error.__cause__ or 'no answer in time'}")
    except (ClientError, BotoCoreError) as error:
        return _fail(str(error))
    if given.json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=2, default=int) + "\n")
    else:
        sys.stdout.write(_text(result))
    return 0


def connect(stack: str) -> Deployment:
    """The deployment of a CloudFormation stack; raises `Refused` when there is none."""
    client = client_maker()
    return Deployment.of(outputs_of(stack, client), client)


def outputs_of(stack: str, client: Callable[[str], Any]) -> dict[str, str]:
    """The outputs of a CloudFormation stack by name; raises `Refused` when there is none."""
    try:
        described = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            raise Refused(f"There is no stack {stack} in this account and region.") from None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in described[0]["Outputs"]}


def client_maker() -> Callable[[str], Any]:
    """Makes boto3 clients of this account and region, or of the local stack."""
    make_session: Any = boto3.session.Session
    make = make_session(**(_LOCAL_CREDENTIALS if is_local() else {})).client
    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    return lambda service: make(service, config=config)


def is_local() -> bool:
    """Whether the environment names a local endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")


# -- the command line -----------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m admin",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--stage",
        default="local" if is_local() else "prod",
        help="the stage of the stack (default: prod, or local with a local AWS_ENDPOINT_URL)",
    )
    parser.add_argument("--stack", help="the stack's whole name, instead of the stage")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, no progress")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    nouns = parser.add_subparsers(title="what", dest="noun", required=True, metavar="NOUN")
    _add_workspace(nouns)
    _add_key(nouns)
    _add_member(nouns)
    _add_installs(nouns)
    return parser


def _verbs(nouns: Any, noun: str, about: str) -> Any:
    parser = nouns.add_parser(noun, help=about, description=about)
    return parser.add_subparsers(title="do", dest="verb", required=True, metavar="VERB")


def _verb(verbs: Any, verb: str, about: str, doing: str, run: Command) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(verb, help=about, description=about)
    parser.set_defaults(run=run, doing=doing)
    return parser


def _add_workspace(nouns: Any) -> None:
    verbs = _verbs(nouns, "workspace", "Create, show and change workspaces.")
    create = _verb(
        verbs, "create", "Create a workspace.", "Creating the workspace and its usage key", _create
    )
    create.add_argument("workspace", help="2 to 63 lower-case letters, digits and hyphens")
    create.add_argument("--plan", choices=list(plans()), default="free", help="default: free")
    _add_policies(create)
    show = _verb(verbs, "show", "Show a workspace.", "Reading the workspace", _show)
    show.add_argument("workspace")
    _verb(verbs, "list", "List all workspaces.", "Reading the workspaces", _list)
    change = _verb(
        verbs,
        "set",
        "Change plan and policies; what is not named stays.",
        "Changing the workspace",
        _set,
    )
    change.add_argument("workspace")
    change.add_argument("--plan", choices=list(plans()))
    _add_policies(change)


def _add_policies(parser: argparse.ArgumentParser) -> None:
    policies = parser.add_argument_group("policies")
    policies.add_argument(
        "--retention-days",
        type=_days,
        default=argparse.SUPPRESS,
        metavar="N|never",
        help="erase soft-deleted links after N days (default: never)",
    )
    policies.add_argument(
        "--purge-expired-after-days",
        type=_days,
        default=argparse.SUPPRESS,
        metavar="N|never",
        help="erase links N days after they expired (default: never)",
    )
    policies.add_argument(
        "--quarantine-days",
        type=int,
        default=argparse.SUPPRESS,
        metavar="N",
        help="keep the short code of an erased link taken for N days (default: 0)",
    )
    policies.add_argument(
        "--code-reservation-days",
        type=int,
        default=argparse.SUPPRESS,
        metavar="N",
        help="keep it from other workspaces for N days (default: 90; 0 frees it for all at once)",
    )
    policies.add_argument(
        "--cascade-installs",
        type=_switch,
        default=argparse.SUPPRESS,
        metavar="on|off",
        help="erase installs with their link instead of keeping them without its id (default: off)",
    )
    policies.add_argument(
        "--link-events",
        type=_switch,
        default=argparse.SUPPRESS,
        metavar="on|off",
        help="also send an event for each link (default: off)",
    )
    policies.add_argument(
        "--click-retention-days",
        type=_days,
        default=argparse.SUPPRESS,
        metavar="N|never",
        help="remove clicks after N days; counts stay. Links get it when they are created or next "
        f"changed (default: {DEFAULT_CLICK_RETENTION_DAYS})",
    )
    policies.add_argument(
        "--undo-minutes",
        type=int,
        default=argparse.SUPPRESS,
        metavar="N",
        help="let the one who soft-deleted links undo that for N minutes (default: "
        f"{DEFAULT_UNDO_MINUTES}; 0 turns it off)",
    )
    policies.add_argument(
        "--app-schemes",
        type=lambda text: () if text == "none" else tuple(text.split(",")),
        default=argparse.SUPPRESS,
        metavar="A,B|none",
        help="schemes that iosUrl and androidUrl may have besides http and https, as in "
        "myapp,intent,market (default: none)",
    )


def _add_key(nouns: Any) -> None:
    verbs = _verbs(nouns, "key", "Issue, list, rotate and revoke API keys.")
    issue = _verb(verbs, "issue", "Issue a key. It is shown once.", "Issuing a key", _issue)
    issue.add_argument("workspace")
    issue.add_argument("--name", required=True, help="what the key is for")
    issue.add_argument(
        "--scopes",
        required=True,
        # Nothing is stripped or guessed: "linksRead,linksRead admin" must not grant `admin`.
        type=lambda text: text.split(","),
        help=f"separated by commas, without spaces, of: {', '.join(SCOPES)}",
    )
    issue.add_argument("--user", help="whose key it is (default: its name)")
    end = issue.add_mutually_exclusive_group()
    end.add_argument("--expires-in-days", type=int, metavar="N")
    end.add_argument("--expires-at", type=_moment, metavar="TIME", help="as 2027-01-31T12:00:00Z")
    keys = _verb(verbs, "list", "List keys, ended ones too.", "Reading the keys", _keys)
    keys.add_argument("workspace")
    rotate = _verb(
        verbs,
        "rotate",
        "Issue a key like another and end that one. The new one is shown once.",
        "Rotating the key",
        _rotate,
    )
    rotate.add_argument("workspace")
    rotate.add_argument("key", help="its id")
    rotate.add_argument(
        "--grace-hours",
        type=float,
        default=24,
        metavar="N",
        help="how long the old key still works (default: 24; 0 revokes it)",
    )
    revoke = _verb(verbs, "revoke", "Revoke a key.", "Revoking the key", _revoke)
    revoke.add_argument("workspace")
    revoke.add_argument("key", help="its id")


def _add_member(nouns: Any) -> None:
    verbs = _verbs(nouns, "member", "Add, list and remove members, who sign in.")
    add = _verb(verbs, "add", "Add a member or change a role.", "Adding the member", _add)
    add.add_argument("workspace")
    add.add_argument("user", help="e-mail address or id of a user of the pool")
    add.add_argument("--role", required=True, choices=list(ROLES))
    add.add_argument(
        "--invite", action="store_true", help="create the user if need be; Cognito mails them"
    )
    members = _verb(verbs, "list", "List members.", "Reading the members", _members)
    members.add_argument("workspace")
    remove = _verb(verbs, "remove", "Remove a member.", "Removing the member", _remove)
    remove.add_argument("workspace")
    remove.add_argument("user", help="e-mail address or id")


def _add_installs(nouns: Any) -> None:
    verbs = _verbs(nouns, "installs", "Purge what is kept of the installs of erased links.")
    purge = _verb(
        verbs,
        "purge",
        "Delete the installs that erasures have kept (platform and day). It cannot be undone.",
        "Deleting the kept installs",
        _purge_installs,
    )
    purge.add_argument("workspace")


def _days(text: str) -> int | None:
    return None if text == "never" else int(text)


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError("on or off")
    return text == "on"


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            "the timestamp must include a UTC offset, as in 2027-01-31T12:00:00Z"
        )
    return iso(moment.astimezone(UTC).timestamp())


# -- the commands ---------------------------------------------------------------------------


def _policies_given(given: argparse.Namespace) -> Callable[[Policies], Policies]:
    """The changes of the command line; everything else is unchanged."""
    named = {name: getattr(given, name) for name in NAMES if hasattr(given, name)}
    return lambda policies: replace(policies, **named)


def _create(deployment: Deployment, given: argparse.Namespace) -> Record:
    policies = _policies_given(given)(Policies())
    return commands.create_workspace(
        deployment, given.workspace, plan=given.plan, policies=policies
    )


def _show(deployment: Deployment, given: argparse.Namespace) -> Record:
    return commands.show_workspace(deployment, given.workspace)


def _list(deployment: Deployment, _given: argparse.Namespace) -> list[Record]:
    return commands.list_workspaces(deployment)


def _set(deployment: Deployment, given: argparse.Namespace) -> Record:
    return commands.set_workspace(
        deployment, given.workspace, plan=given.plan, change=_policies_given(given)
    )


def _issue(deployment: Deployment, given: argparse.Namespace) -> Record:
    expires_at = given.expires_at
    if given.expires_in_days is not None:
        expires_at = iso(time.time() + given.expires_in_days * 86_400)
    secret, record = commands.issue_key(
        deployment,
        given.workspace,
        name=given.name,
        scopes=given.scopes,
        user_id=given.user,
        expires_at=expires_at,
    )
    return {"secret": secret} | record


def _keys(deployment: Deployment, given: argparse.Namespace) -> list[Record]:
    return commands.list_keys(deployment, given.workspace)


def _rotate(deployment: Deployment, given: argparse.Namespace) -> Record:
    secret, record = commands.rotate_key(
        deployment, given.workspace, given.key, grace_seconds=int(given.grace_hours * 3600)
    )
    return {"secret": secret} | record


def _revoke(deployment: Deployment, given: argparse.Namespace) -> Record:
    return commands.revoke_key(deployment, given.workspace, given.key)


def _add(deployment: Deployment, given: argparse.Namespace) -> Record:
    return commands.add_member(
        deployment, given.workspace, given.user, role=given.role, invite=given.invite
    )


def _members(deployment: Deployment, given: argparse.Namespace) -> list[Record]:
    return commands.list_members(deployment, given.workspace)


def _remove(deployment: Deployment, given: argparse.Namespace) -> Record:
    return commands.remove_member(deployment, given.workspace, given.user)


def _purge_installs(deployment: Deployment, given: argparse.Namespace) -> Record:
    return commands.purge_installs(deployment, given.workspace)


# -- output ---------------------------------------------------------------------------------


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _say_nothing(_line: str) -> None:
    pass


def _fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


def _text(result: Any) -> str:
    """A record as lines of names and values; records are separated by an empty line."""
    records = result if isinstance(result, list) else [result]
    if not records:
        return "(none)\n"
    return "\n".join(_record_text(record) for record in records)


def _record_text(record: Record) -> str:
    rows: list[tuple[str, str]] = []
    for name, value in record.items():
        if isinstance(value, dict):
            rows += [(f"{name}.{inner}", _value_text(each)) for inner, each in value.items()]
        else:
            rows.append((name, _value_text(value)))
    width = max(len(name) for name, _ in rows)
    lines = "".join(f"{name:<{width}}  {value}\n" for name, value in rows)
    if "secret" in record:
        lines += "Keep the secret now: it is not stored and cannot be shown again.\n"
    return lines


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(each) for each in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return "-" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
