"""The CDK entry point: `cdk deploy -c stage=dev`. Without a stage it is production."""

from dataclasses import replace

from aws_cdk import App, RemovalPolicy
from aws_cdk import aws_lambda as lambda_

from infra.packaging import LAMBDA_ARM64, Target
from infra.settings import Settings
from infra.stack import UnlinkStack


def add_stack(app: App, *, code: lambda_.Code | None = None) -> UnlinkStack:
    """Add the stack of the stage that the context names, for `code` or the packaged functions.

    Context: `stage` (prod, dev, local), `publicBaseUrl` (the origin of short URLs),
    `corsAllowOrigins` (comma separated, without spaces).
    """
    stage = app.node.try_get_context("stage") or "prod"
    public_base_url = (app.node.try_get_context("publicBaseUrl") or "").rstrip("/")
    cors_allow_origins = (app.node.try_get_context("corsAllowOrigins") or "*").split(",")
    match stage:
        case "prod":
            settings = Settings(stage=stage, target=LAMBDA_ARM64)
        case "dev":
            settings = Settings(
                stage=stage,
                target=LAMBDA_ARM64,
                removal_policy=RemovalPolicy.DESTROY,
                deletion_protection=False,
                log_level="DEBUG",
            )
        case "local":
            settings = Settings(
                stage=stage,
                # A local engine runs the functions on the host, whatever the template says.
                target=Target.host(),
                removal_policy=RemovalPolicy.DESTROY,
                deletion_protection=False,
            )
        case _:
            raise ValueError(f"unknown stage {stage!r}: expected prod, dev or local")
    settings = replace(
        settings, public_base_url=public_base_url, cors_allow_origins=tuple(cors_allow_origins)
    )
    return UnlinkStack(app, f"Unlink-{stage}", settings=settings, code=code)


if __name__ == "__main__":
    app = App()
    add_stack(app)
    app.synth()
