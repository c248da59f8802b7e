"""The command line: its verbs, their options, and the operation that each one calls."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from admin import commands, preflight
from admin.commands import Deployment, Record
from admin.connection import Clients, is_local
from admin.gateway import remove_orphans
from admin.policy_arguments import add_policies, policies_given
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

Command = Callable[[Deployment, argparse.Namespace], Any]

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
    add_policies(create)
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
    add_policies(change)


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


def _add_usage_keys(nouns: Any) -> None:
    verbs = _verbs(nouns, "usage-keys", "Remove the API Gateway keys that a deleted stack left.")
    remove = _account_verb(
        verbs.add_parser,
        "remove-orphans",
        "List the keys of workspaces that are in no usage plan, or delete them. `cdk destroy` "
        "leaves them, and an account has 10,000.",
        "Looking for keys without a usage plan",
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
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            "the timestamp must include a UTC offset, as in 2027-01-31T12:00:00Z"
        )
    return iso(moment.astimezone(UTC).timestamp())


# -- the operations ----------------------------------------------------------------------------


def _create(deployment: Deployment, options: argparse.Namespace) -> Record:
    policies = policies_given(options)(Policies())
    return commands.create_workspace(
        deployment, options.workspace, plan=options.plan, policies=policies
    )


def _show(deployment: Deployment, options: argparse.Namespace) -> Record:
    return commands.show_workspace(deployment, options.workspace)


def _list(deployment: Deployment, _given: argparse.Namespace) -> list[Record]:
    return commands.list_workspaces(deployment)


def _set(deployment: Deployment, options: argparse.Namespace) -> Record:
    return commands.set_workspace(
        deployment, options.workspace, plan=options.plan, change=policies_given(options)
    )


def _issue(deployment: Deployment, options: argparse.Namespace) -> Record:
    expires_at = options.expires_at
    if options.expires_in_days is not None:
        expires_at = iso(time.time() + options.expires_in_days * 86_400)
    secret, record = commands.issue_key(
        deployment,
        options.workspace,
        name=options.name,
        scopes=options.scopes,
        user_id=options.user,
        expires_at=expires_at,
    )
    return {"secret": secret} | record


def _keys(deployment: Deployment, options: argparse.Namespace) -> list[Record]:
    return commands.list_keys(deployment, options.workspace)


def _rotate(deployment: Deployment, options: argparse.Namespace) -> Record:
    secret, record = commands.rotate_key(
        deployment, options.workspace, options.key, grace_seconds=int(options.grace_hours * 3600)
    )
    return {"secret": secret} | record


def _revoke(deployment: Deployment, options: argparse.Namespace) -> Record:
    return commands.revoke_key(deployment, options.workspace, options.key)


def _add(deployment: Deployment, options: argparse.Namespace) -> Record:
    return commands.add_member(
        deployment, options.workspace, options.user, role=options.role, invite=options.invite
    )


def _members(deployment: Deployment, options: argparse.Namespace) -> list[Record]:
    return commands.list_members(deployment, options.workspace)


def _remove(deployment: Deployment, options: argparse.Namespace) -> Record:
    return commands.remove_member(deployment, options.workspace, options.user)


def _purge_installs(deployment: Deployment, options: argparse.Namespace) -> Record:
    return commands.purge_installs(deployment, options.workspace)


def _preflight(client: Clients, options: argparse.Namespace) -> list[Record]:
    stack = options.stack or f"Unlink-{options.stage}"
    context = [f"stage={options.stage}", *options.context]
    template = preflight.read_template(stack, assembly=options.assembly, context=context)
    return preflight.check(stack, template, client)
