"""`make aws-smoke`: checks on a throw-away stage of a real account, for what the emulator cannot
show.

    AWS_PROFILE=… .venv/bin/python -m tests.smoke --yes

Deploys the stage `smoke`, checks, and destroys it with its data. Costs a few cents and half an
hour. The checks are those of docs/operations.md, "Not verified on AWS"; the end-to-end tests run
`CHECKS` against the local stack, so that only what AWS alone shows is new to them there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from admin.commands import Refused
from admin.connection import client_maker, outputs_of
from tests.smoke import everywhere, on_aws
from tests.smoke.stage import Smoke

ROOT = Path(__file__).resolve().parent.parent.parent
STAGE = "smoke"
CDK = ROOT / "node_modules" / ".bin" / "cdk"

Check = Callable[[Smoke], None]

#: Before anything else is created: without it no delete works.
FIRST: Check = everywhere.repeated_remove_clauses

#: Against any stack, the local one too.
CHECKS: tuple[Check, ...] = (
    everywhere.diff_is_empty,
    everywhere.delete_body_and_statement,
    everywhere.refusals_are_mapped,
    everywhere.payload_limits,
    everywhere.exports_are_fetched,
    everywhere.unreadable_records_are_kept,
    everywhere.erasure_and_its_rights,
    # Last: it uses the window up.
    everywhere.usage_plan_throttles,
)

#: What the emulator does not do: it drops settings, sends no alarm, retries no batch, has no
#: CodeDeploy and writes no record of what TTL removes.
ON_AWS: tuple[Check, ...] = (
    on_aws.settings_that_the_emulator_drops,
    on_aws.workers_may_send_to_themselves,
    on_aws.braces_need_escapes,
    on_aws.who_refuses_a_large_body,
    on_aws.large_exports_have_parts,
    on_aws.redirects_are_found_in_the_logs,
    on_aws.alarms_reach_their_topic,
    on_aws.failed_batches_reach_the_bucket,
)
GRADUAL: tuple[Check, ...] = (on_aws.failing_versions_are_rolled_back,)
TTL: tuple[Check, ...] = (on_aws.expired_links_are_erased,)
DOMAIN: tuple[Check, ...] = (on_aws.ping_is_the_gateways,)


def run(smoke: Smoke, checks: Sequence[Check], say: Callable[[str], object]) -> list[str]:
    """Run every check in order, even after a failure; returns the names of the failed ones."""
    failed = []
    for check in checks:
        try:
            check(smoke)
            outcome = "ok"
        except Exception as error:  # noqa: BLE001 (every check is tried)
            failed.append(check.__name__)
            outcome = f"FAILED: {type(error).__name__}: {error}"
        say(f"{check.__name__}: {outcome}\n")
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy, check, destroy. Returns how many steps failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yes", action="store_true", help="really use the AWS account")
    parser.add_argument(
        "--gradual", action="store_true", help="also let CodeDeploy roll a failing version back"
    )
    parser.add_argument(
        "--wait-ttl", type=float, default=0, metavar="HOURS", help="also wait for TTL (up to 48)"
    )
    parser.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="more context of the deployment; with domainName, /ping is checked under it",
    )
    given = parser.parse_args(arguments)
    if not given.yes:
        parser.error("this deploys to the AWS account of your credentials; say --yes")
    client, gradual = client_maker(), str(given.gradual).lower()
    try:
        outputs_of(f"Unlink-{STAGE}", client)
    except Refused:
        pass
    else:
        sys.stderr.write(f"Unlink-{STAGE} exists: an earlier run left it, or someone uses it.\n")
        return 1

    def cdk(command: str, *options: str) -> int:
        settings = (
            f"-cstage={STAGE}",
            f"-cgradual={gradual}",
            *(f"-c{each}" for each in given.context),
        )
        return subprocess.run(
            [str(CDK), command, *settings, *options], cwd=ROOT, check=False
        ).returncode

    domain = dict(each.split("=", 1) for each in given.context).get("domainName")
    checks = (
        *CHECKS[:-1],
        *ON_AWS,
        *(GRADUAL if given.gradual else ()),
        *(DOMAIN if domain else ()),
        *(TTL if given.wait_ttl else ()),
        CHECKS[-1],
    )
    failed = ["deploy"]
    smoke = None
    try:
        if cdk("deploy", "--require-approval=never") == 0:
            smoke = Smoke(
                stage=STAGE,
                client=client,
                cdk=cdk,
                ttl_hours=given.wait_ttl,
                domain_url=f"https://{domain}" if domain else "",
            )
            failed = run(smoke, (FIRST, Smoke.begin, *checks), sys.stdout.write)
    finally:
        if smoke is not None:
            failed += run(smoke, (Smoke.clean,), sys.stdout.write)
        if cdk("destroy", "--force") != 0:
            failed.append("destroy")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
