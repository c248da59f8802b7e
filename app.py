"""The CDK entry point: `cdk deploy -c stage=dev`. Without a stage it is production."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Annotations, App
from aws_cdk import aws_lambda as lambda_

from infra.firewall import CLOUDFRONT_REGION, CdnFirewallStack, firewall_stack_name
from infra.stack import UnlinkStack
from infra.stages import settings_of


def add_stack(app: App, *, code: lambda_.Code | None = None) -> UnlinkStack:
    """Add the stack of the stage that the context names, for `code` or the packaged functions."""
    context: Mapping[str, Any] = app.node.get_all_context()
    settings = settings_of(
        {
            # `true` in cdk.json arrives as a truth value, `-c cdn=true` as a text.
            name: json.dumps(value) if isinstance(value, bool) else str(value)
            for name, value in context.items()
            # The CDK's own have other characters: `aws:cdk:…`, `@aws-cdk/…`, `cli-telemetry`.
            if name.isalpha() and value not in (None, "")
        }
    )
    stack = UnlinkStack(app, f"Unlink-{settings.stage}", settings=settings, code=code)
    if settings.cdn is not None and settings.waf:
        name = firewall_stack_name(settings.stage)
        CdnFirewallStack(app, name, stage=settings.stage)
        if not settings.cdn.web_acl_arn:
            # An error of this stack alone: the CLI still deploys the other one.
            Annotations.of(stack).add_error(
                "cdn and waf together need the web ACL of the distribution, which CloudFront takes "
                f"from {CLOUDFRONT_REGION} only. Deploy {name} first, then give its output "
                "WebAclArn: -c cdnWebAclArn=arn:..."
            )
    return stack


if __name__ == "__main__":
    app = App()
    add_stack(app)
    app.synth()
