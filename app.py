"""The CDK entry point: `cdk deploy -c stage=dev`. Without a stage it is production."""

import json
from collections.abc import Mapping
from dataclasses import replace

from aws_cdk import App, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from infra.packaging import LAMBDA_ARM64, Target
from infra.settings import Cdn, CustomDomain, OnDemand, Settings
from infra.stack import UnlinkStack


def settings_of(context: Mapping[str, str]) -> Settings:
    """The settings of the stage that the context names.

    What is the same in every account stands here; what is an account's own comes with the
    context (`-c name=value` or `cdk.json`):

    - `stage`: prod, dev, smoke (what `make aws-smoke` deploys and destroys) or local
    - `gradual`: true or false, to deploy once otherwise than the stage does
    - `publicBaseUrl`: the origin of short URLs
    - `corsAllowOrigins`: comma separated, without spaces
    - `alarmEmail`
    - `domainName`, `certificateArn`, and optionally `basePath`, `hostedZoneId`, `hostedZoneName`
    - `cdn=true`, and optionally `cdnDomainName`, `cdnCertificateArn`
    - `waf=true`
    """
    stage = context.get("stage") or "prod"
    match stage:
        case "prod":
            settings = Settings(
                stage=stage,
                target=LAMBDA_ARM64,
                # A mistake of ours or a flood may cost so much a second, and no more.
                capacity=OnDemand(max_reads=40_000, max_writes=40_000),
                log_retention=logs.RetentionDays.THREE_MONTHS,
                reserved_concurrency={"redirect": 300, "deletions": 100, "resume": 20},
            )
        case "dev" | "smoke":
            settings = Settings(
                stage=stage,
                target=LAMBDA_ARM64,
                removal_policy=RemovalPolicy.DESTROY,
                deletion_protection=False,
                recovery_days=7,
                capacity=OnDemand(max_reads=4_000, max_writes=4_000),
                log_level="DEBUG",
                log_retention=logs.RetentionDays.ONE_WEEK,
                gradual_deployment=False,
            )
        case "local":
            settings = Settings(
                stage=stage,
                # A local engine runs the functions on the host, whatever the template says.
                target=Target.host(),
                removal_policy=RemovalPolicy.DESTROY,
                deletion_protection=False,
                gradual_deployment=False,
            )
        case _:
            raise ValueError(f"unknown stage {stage!r}: expected prod, dev, smoke or local")
    if "gradual" in context:
        settings = replace(settings, gradual_deployment=context["gradual"] == "true")
    return replace(
        settings,
        public_base_url=context.get("publicBaseUrl", "").rstrip("/"),
        cors_allow_origins=tuple(context.get("corsAllowOrigins", "*").split(",")),
        alarm_email=context.get("alarmEmail", ""),
        custom_domain=_custom_domain(context),
        cdn=_cdn(context),
        waf=context.get("waf") == "true",
    )


def _custom_domain(context: Mapping[str, str]) -> CustomDomain | None:
    if not context.get("domainName"):
        return None
    return CustomDomain(
        name=context["domainName"],
        certificate_arn=context["certificateArn"],
        base_path=context.get("basePath", "").strip("/"),
        hosted_zone_id=context.get("hostedZoneId", ""),
        hosted_zone_name=context.get("hostedZoneName", ""),
    )


def _cdn(context: Mapping[str, str]) -> Cdn | None:
    if context.get("cdn") != "true":
        return None
    return Cdn(
        domain_name=context.get("cdnDomainName", ""),
        certificate_arn=context.get("cdnCertificateArn", ""),
    )


CONTEXT = (
    "stage",
    "gradual",
    "publicBaseUrl",
    "corsAllowOrigins",
    "alarmEmail",
    "domainName",
    "certificateArn",
    "basePath",
    "hostedZoneId",
    "hostedZoneName",
    "cdn",
    "cdnDomainName",
    "cdnCertificateArn",
    "waf",
)


def add_stack(app: App, *, code: lambda_.Code | None = None) -> UnlinkStack:
    """Add the stack of the stage that the context names, for `code` or the packaged functions."""
    found = {name: app.node.try_get_context(name) for name in CONTEXT}
    settings = settings_of(
        {
            # `true` in cdk.json arrives as a truth value, `-c cdn=true` as a text.
            name: json.dumps(value) if isinstance(value, bool) else str(value)
            for name, value in found.items()
            if value not in (None, "")
        }
    )
    return UnlinkStack(app, f"Unlink-{settings.stage}", settings=settings, code=code)


if __name__ == "__main__":
    app = App()
    add_stack(app)
    app.synth()
