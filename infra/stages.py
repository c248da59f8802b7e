"""The settings of each stage, from the context of a deployment, in a module that loads no CDK."""

import json
from collections.abc import Mapping
from dataclasses import replace

from infra.packaging import LAMBDA_ARM64, Target
from infra.settings import Cdn, CustomDomain, EventsEndpoint, OnDemand, Settings

#: Reserved concurrency by function: what it may use, and what no other function can take from it.
#: The sum is 495 of the usual 1,000. The other functions share the remaining 505, and Lambda
#: refuses to reserve the last 100.
RESERVED = {
    # The stage admits 2,500 visits a second: 38 at 15 ms each, 180 when each takes 72 ms.
    "redirect": 180,
    "deletions": 100,
    # What the stage's throttle of 4,000 requests a second needs at 20 ms each.
    "authorizer": 80,
    # Streams: one invocation a shard of 1,000 writes a second. A table takes 40,000 at most.
    "click_stream": 40,
    "link_stream": 40,
    "deletion_stream": 10,
    # Queues: no less than the `max_concurrency` of their event sources.
    "deletion_worker": 15,
    "erase_worker": 20,
    "export_worker": 5,
    # One run a minute, of five minutes at most.
    "scheduler": 5,
}

#: What a deployment may set: `-c name=value` or `cdk.json`. A switch is true or false.
CONTEXT = (
    # prod (the default), dev, smoke (what `make aws-smoke` deploys and destroys) or local
    "stage",
    # A switch, to override the stage's setting once.
    "gradual",
    # The origin of short URLs
    "publicBaseUrl",
    # Where a visit to `/` is sent
    "homeUrl",
    # Comma separated, without spaces
    "corsAllowOrigins",
    "alarmEmail",
    # The second is needed with the first; the others are optional.
    "domainName",
    "certificateArn",
    "basePath",
    "hostedZoneId",
    # A switch; with it the others, which are optional
    "cdn",
    "cdnDomainName",
    "cdnCertificateArn",
    "cdnWebAclArn",
    # A switch; with `cdn` it also needs `cdnWebAclArn`, which the firewall stack outputs.
    "waf",
    # false: reserve none, for an account with a small quota
    "reservedConcurrency",
    # Requests a second that the stage admits to each method
    "rateLimit",
    # 2, 3, ... for a new key of receipts; 0 for receipts that are not signed
    "receiptKey",
    # Where every event is sent, and the name of the secret with the key for it
    "eventsUrl",
    "eventsSecret",
)


def settings_of(context: Mapping[str, str]) -> Settings:
    """The settings of the stage that the context names.

    Settings that are the same in every account are here; those of an account come from the context.
    Raises `ValueError` for an unknown name too: without its effect the stage would be another one.
    """
    unknown = sorted(set(context) - set(CONTEXT))
    if unknown:
        raise ValueError(f"unknown context {', '.join(unknown)}: expected {', '.join(CONTEXT)}")
    stage = context.get("stage") or "prod"
    match stage:
        case "prod":
            settings = Settings(
                stage=stage,
                target=LAMBDA_ARM64,
                # This limits the cost of a mistake or a flood.
                capacity=OnDemand(max_reads=40_000, max_writes=40_000),
                log_retention="THREE_MONTHS",
                reserved_concurrency=RESERVED,
            )
        case "dev" | "smoke":
            settings = Settings(
                stage=stage,
                target=LAMBDA_ARM64,
                removal_policy="DESTROY",
                deletion_protection=False,
                recovery_days=7,
                capacity=OnDemand(max_reads=4_000, max_writes=4_000),
                log_level="DEBUG",
                log_retention="ONE_WEEK",
                gradual_deployment=False,
            )
        case "local":
            settings = Settings(
                stage=stage,
                # The emulator runs the functions on the host, independent of the template.
                target=Target.host(),
                removal_policy="DESTROY",
                deletion_protection=False,
                gradual_deployment=False,
                # Costs nothing here, and a test waits for its clicks.
                click_window=0,
                # Each worker is a process of this machine, and its start costs as much CPU as to
                # erase a hundred links.
                concurrent_erasures=4,
                managed_login_style=False,
            )
        case _:
            raise ValueError(f"unknown stage {stage!r}: expected prod, dev, smoke or local")
    if not _switch("reservedConcurrency", context, default=True):
        settings = replace(settings, reserved_concurrency={})
    if "rateLimit" in context:
        settings = replace(settings, rate_limit=_whole_number("rateLimit", context["rateLimit"]))
    if "receiptKey" in context:
        settings = replace(settings, receipt_key=_whole_number("receiptKey", context["receiptKey"]))
    return replace(
        settings,
        gradual_deployment=_switch("gradual", context, default=settings.gradual_deployment),
        public_base_url=context.get("publicBaseUrl", "").rstrip("/"),
        home_url=context.get("homeUrl", ""),
        cors_allow_origins=tuple(context.get("corsAllowOrigins", "*").split(",")),
        alarm_email=context.get("alarmEmail", ""),
        custom_domain=_custom_domain(context),
        cdn=_cdn(context),
        waf=_switch("waf", context),
        events_endpoint=_events_endpoint(context),
    )


def _custom_domain(context: Mapping[str, str]) -> CustomDomain | None:
    if not context.get("domainName"):
        return None
    return CustomDomain(
        name=context["domainName"],
        certificate_arn=context.get("certificateArn", ""),
        base_path=context.get("basePath", "").strip("/"),
        hosted_zone_id=context.get("hostedZoneId", ""),
    )


def _cdn(context: Mapping[str, str]) -> Cdn | None:
    if not _switch("cdn", context):
        return None
    return Cdn(
        domain_name=context.get("cdnDomainName", ""),
        certificate_arn=context.get("cdnCertificateArn", ""),
        web_acl_arn=context.get("cdnWebAclArn", ""),
    )


def _events_endpoint(context: Mapping[str, str]) -> EventsEndpoint | None:
    if not context.get("eventsUrl"):
        return None
    return EventsEndpoint(url=context["eventsUrl"], secret=context.get("eventsSecret", ""))


def _switch(name: str, context: Mapping[str, str], *, default: bool = False) -> bool:
    given = context.get(name, json.dumps(default))
    if given not in ("true", "false"):
        raise ValueError(f"{name} {given!r}: expected true or false")
    return given == "true"


def _whole_number(name: str, given: str) -> int:
    if not (given.isascii() and given.isdecimal()):
        raise ValueError(f"{name} {given!r}: expected a whole number")
    return int(given)
