"""The command line: its verbs, their options, and the operation that each one calls."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from admin import commands, preflight
from admin.commands import MAX_DAYS, Deployment, Record
from admin.connection import Clients, is_local
from admin.gateway import remove_orphans
from admin.policy_arguments import add_policies
from functions.domain.clock import iso
from functions.domain.plans import SCOPES, plans
from functions.domain.policies import Policies
from functions.domain.scopes import ROLES

_ABOUT = """\
Workspaces, plans, policies, members and API keys of a deployed stack; what an account needs before
a deployment, and what a deleted stack leaves.

The stack is found by its name (Unlink-{stage}) with the AWS credentials and region of the
environment. For the local stack set AWS_ENDPOINT_URL, as `.local/demo.env` does.
"""

_EXAMPLES = """\
examples:
  python -m admin workspace create acme --plan pro --retention-days 90
  python -m admin key issue acme --name ci --scopes linksRead,linksWrite
  python -m admin key rotate acme key-0123456789abcdef --grace-hours 24
  python -m admin --json key list acme
  python -m admin preflight -c alarmEmail=ops@example.com
"""

#: An operation on a stack. It gets the verb's own arguments by their names.
Command = Callable[..., Record | list[Record]]

#: What is not an argument of the verb.
_OF_ALL = ("stage", "stack", "json", "quiet", "noun", "verb", "run", "doing", "failed")

#: An operation on the account, with or without a stack.
AccountCommand = Callable[[Clients, argparse.Namespace], list[Record]]


def build_parser() -> argparse.ArgumentParser:
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
    _add_usage_keys(nouns)
    _add_preflight(nouns)
    return parser


def own_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of the verb alone, by name."""
    return {name: value for name, value in vars(options).items() if name not in _OF_ALL}


def _verbs(nouns: Any, noun: str, about: str) -> Any:
    parser = nouns.add_parser(noun, help=about, description=about)
    return parser.add_subparsers(title="do", dest="verb", required=True, metavar="VERB")


def _verb(verbs: Any, verb: str, about: str, doing: str, run: Command) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(verb, help=about, description=about)
    parser.set_defaults(run=run, doing=doing)
    return parser


def _add_workspace_id(verb: argparse.ArgumentParser, about: str | None = None) -> None:
    verb.add_argument("workspace_id", metavar="workspace", help=about)


def _add_workspace(nouns: Any) -> None:
    verbs = _verbs(nouns, "workspace", "Create, show and change workspaces.")
    create = _verb(
        verbs, "create", "Create a workspace.", "Creating the workspace and its usage key", _create
    )
    _add_workspace_id(create, "2 to 63 lower-case letters, digits and hyphens")
    create.add_argument("--plan", choices=list(plans()), default="free", help="default: free")
    add_policies(create)
    show = _verb(
        verbs, "show", "Show a workspace.", "Reading the workspace", commands.show_workspace
    )
    _add_workspace_id(show)
    _verb(verbs, "list", "List all workspaces.", "Reading the workspaces", commands.list_workspaces)
    change = _verb(
        verbs,
        "set",
        "Change plan and policies; what is not named stays.",
        "Changing the workspace",
        _set,
    )
    _add_workspace_id(change)
    change.add_argument("--plan", choices=list(plans()))
    add_policies(change)


def _add_key(nouns: Any) -> None:
    verbs = _verbs(nouns, "key", "Issue, list, rotate and revoke API keys.")
    issue = _verb(verbs, "issue", "Issue a key. It is shown once.", "Issuing a key", _issue)
    _add_workspace_id(issue)
    issue.add_argument("--name", required=True, help="what the key is for")
    issue.add_argument(
        "--scopes",
        required=True,
        # Nothing is stripped or guessed: "linksRead,linksRead admin" must not grant `admin`.
        type=lambda text: text.split(","),
        help=f"separated by commas, without spaces, of: {', '.join(SCOPES)}",
    )
    issue.add_argument(
        "--user", dest="user_id", metavar="USER", help="whose key it is (default: its name)"
    )
    end = issue.add_mutually_exclusive_group()
    end.add_argument("--expires-in-days", type=_days_of_a_key, metavar="N")
    end.add_argument("--expires-at", type=_moment, metavar="TIME", help="as 2027-01-31T12:00:00Z")
    keys = _verb(
        verbs, "list", "List keys, ended ones too.", "Reading the keys", commands.list_keys
    )
    _add_workspace_id(keys)
    rotate = _verb(
        verbs,
        "rotate",
        "Issue a key like another and end that one. The new one is shown once.",
        "Rotating the key",
        _rotate,
    )
    _add_workspace_id(rotate)
    rotate.add_argument("key_id", metavar="key", help="its id")
    rotate.add_argument(
        "--grace-hours",
        type=_hours,
        default=24,
        metavar="N",
        help="how long the old key still works (default: 24; 0 revokes it)",
    )
    rotate.set_defaults(failed=lambda result: "warning" in result)
    revoke = _verb(verbs, "revoke", "Revoke a key.", "Revoking the key", commands.revoke_key)
    _add_workspace_id(revoke)
    revoke.add_argument("key_id", metavar="key", help="its id")


def _add_member(nouns: Any) -> None:
    verbs = _verbs(nouns, "member", "Add, list and remove members, who sign in.")
    add = _verb(
        verbs, "add", "Add a member or change a role.", "Adding the member", commands.add_member
    )
    _add_workspace_id(add)
    add.add_argument("user", help="e-mail address or id of a user of the pool")
    add.add_argument("--role", required=True, choices=list(ROLES))
    add.add_argument(
        "--invite", action="store_true", help="create the user if need be; Cognito mails them"
    )
    members = _verb(verbs, "list", "List members.", "Reading the members", commands.list_members)
    _add_workspace_id(members)
    remove = _verb(
        verbs, "remove", "Remove a member.", "Removing the member", commands.remove_member
    )
    _add_workspace_id(remove)
    remove.add_argument("user", help="e-mail address or id")


def _add_installs(nouns: Any) -> None:
    verbs = _verbs(nouns, "installs", "Purge what is kept of the installs of erased links.")
    purge = _verb(
        verbs,
        "purge",
        "Delete the installs that erasures have kept (platform and day). It cannot be undone.",
        "Deleting the kept installs",
        commands.purge_installs,
    )
    _add_workspace_id(purge)


def _add_usage_keys(nouns: Any) -> None:
    verbs = _verbs(nouns, "usage-keys", "Remove the API Gateway keys that a deleted stack left.")
    remove = _account_verb(
        verbs.add_parser,
        "remove-orphans",
        "List the keys of workspaces that deleted stacks left, or delete them. `cdk destroy` "
        "leaves them, and an account has 10,000.",
        "Looking for keys of deleted stacks",
        lambda client, options: remove_orphans(client("apigateway"), delete=options.yes),
    )
    remove.add_argument("--yes", action="store_true", help="delete them; without it, list them")


def _add_preflight(nouns: Any) -> None:
    check = _account_verb(
        nouns.add_parser,
        "preflight",
        "Check account and region before `cdk deploy`. Ends with 1 if something is to be done.",
        "Checking the account and region",
        _preflight,
    )
    check.add_argument(
        "-c",
        "--context",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the context of the deployment, as for cdk deploy; may be repeated",
    )
    check.add_argument(
        "--assembly",
        metavar="DIRECTORY",
        help="read the template that `cdk synth` wrote there, instead of synthesizing",
    )
    check.set_defaults(failed=preflight.failed)


def _account_verb(
    add_parser: Callable[..., Any], verb: str, about: str, doing: str, run: AccountCommand
) -> argparse.ArgumentParser:
    """A verb that needs no stack."""
    parser: argparse.ArgumentParser = add_parser(verb, help=about, description=about)
    parser.set_defaults(run_on_account=run, doing=doing)
    return parser


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        in_utc = iso(moment.astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a timestamp such as 2027-01-31T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            "the timestamp must include a UTC offset, as in 2027-01-31T12:00:00Z"
        )
    return in_utc


def _days_of_a_key(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MAX_DAYS}")
    return int(text)


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    # False for NaN too.
    if not 0 <= hours <= MAX_DAYS * 24:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of hours from 0 to {MAX_DAYS * 24}"
        )
    return hours


# -- the operations ----------------------------------------------------------------------------


def _create(deployment: Deployment, workspace_id: str, *, plan: str, **policies: Any) -> Record:
    return commands.create_workspace(
        deployment, workspace_id, plan=plan, policies=Policies(**policies)
    )


def _set(deployment: Deployment, workspace_id: str, *, plan: str | None, **policies: Any) -> Record:
    return commands.set_workspace(
        deployment, workspace_id, plan=plan, change=lambda before: before._replace(**policies)
    )


def _issue(
    deployment: Deployment,
    workspace_id: str,
    *,
    expires_in_days: int | None,
    expires_at: str | None,
    **key: Any,
) -> Record:
    if expires_in_days is not None:
        expires_at = iso(time.time() + expires_in_days * 86_400)
    secret, record = commands.issue_key(deployment, workspace_id, expires_at=expires_at, **key)
    return {"secret": secret} | record


def _rotate(
    deployment: Deployment, workspace_id: str, key_id: str, *, grace_hours: float
) -> Record:
    secret, record = commands.rotate_key(
        deployment, workspace_id, key_id, grace_seconds=int(grace_hours * 3600)
    )
    return {"secret": secret} | record


def _preflight(client: Clients, options: argparse.Namespace) -> list[Record]:
    stack = options.stack or f"Unlink-{options.stage}"
    context = [f"stage={options.stage}", *options.context]
    template = preflight.read_template(stack, assembly=options.assembly, context=context)
    return preflight.check(stack, template, client)
