"""Suppressed findings of cdk-nag's AwsSolutions rules, each with its reason.

A test runs the rules on every stage. It fails on a finding that is not suppressed here, and on a
suppression that matches no finding.
"""

import re
from collections.abc import Iterator
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.watched import is_dead_letter_queue

#: Rule -> kind of resource -> why it is not followed.
REASONS: dict[type[Construct], dict[str, str]] = {
    lambda_.CfnFunction: {
        "AwsSolutions-L1": "Python 3.13 is what the wheels and bytecode are built and tested for; "
        "a newer runtime is chosen together with the target of infra.packaging",
    },
    iam.CfnPolicy: {
        "AwsSolutions-IAM5[Resource::*]": "X-Ray's write actions support no resources (Service "
        "Authorization Reference); a test checks that nothing else is allowed on everything",
    },
    iam.CfnRole: {
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
        "AmazonAPIGatewayPushToCloudWatchLogs]": "The policy that API Gateway requires of the "
        "account's log role; it may be assumed by that service alone",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
        "AWSCodeDeployRoleForLambdaLimited]": "AWS keeps it in step with what CodeDeploy needs to "
        "shift an alias; it may be assumed by that service alone",
    },
    cognito.CfnUserPool: {
        "AwsSolutions-COG1": "Twelve characters of any kind: NIST SP 800-63B section 3.1.1.2 asks "
        "for length and forbids rules of composition",
        "AwsSolutions-COG2": "Each user may turn on a second factor; most callers use API keys, "
        "which have none",
        "AwsSolutions-COG8": "The Plus plan costs money for each user; operators add the users and "
        "sign-up is off, so risk scores would have little effect",
    },
    secretsmanager.CfnSecret: {
        "AwsSolutions-SMG4": "The key signs short-lived cursors. A new key makes cursors in use "
        "invalid, so operators replace it when they must: docs/operations.md",
    },
    s3.CfnBucket: {
        "AwsSolutions-S1": "Only the functions and holders of a signed URL read the bucket, "
        "and the functions log both; access logs would keep link ids after an erasure",
    },
    cloudfront.CfnDistribution: {
        "AwsSolutions-CFR1": "Visitors open short links in every country, so none is restricted",
        "AwsSolutions-CFR2": "A web ACL for CloudFront must be in us-east-1, in a separate stack; "
        "the throttle of the redirects limits all visits",
        "AwsSolutions-CFR3": "The function logs each redirect, without the visitor's address that "
        "CloudFront's log would keep",
    },
    apigateway.CfnRestApi: {
        "AwsSolutions-APIG2": "The functions validate, because two published contracts define the "
        "responses to invalid requests, and the gateway's validators have their own",
    },
    apigateway.CfnMethod: {
        "AwsSolutions-COG4": "One Lambda authorizer accepts API keys and Cognito sessions; "
        "redirects, preflights and the documentation are public",
        "AwsSolutions-APIG4": "Redirects and the documentation are public",
    },
    apigateway.CfnStage: {
        "AwsSolutions-APIG3": "The web ACL is an option of the stage (waf); the usage plans and "
        "the throttle of the redirects cost nothing",
        "AwsSolutions-APIG6": "Execution logs contain whole requests, with keys and bodies; the "
        "access log and the functions' log lines have what operators need",
    },
}

OBJECTS_UNDER_A_PREFIX = (
    "Objects are named by ids, or by Lambda, so no policy can list them. The least is one prefix, "
    "or one bucket with nothing else in it"
)

DEAD_LETTERS_OF_A_RULE = (
    "It is the dead-letter queue of a rule of EventBridge; the rule of cdk-nag knows only those of "
    "other queues and functions"
)


def acknowledge_findings(stack: Stack) -> None:
    """Suppress the findings, resource by resource."""
    found = stack.node.find_all()
    buckets = {
        stack.get_logical_id(construct)
        for construct in found
        if isinstance(construct, s3.CfnBucket)
    }
    for construct in found:
        if isinstance(construct, iam.CfnPolicy):
            for pattern in _object_patterns(stack.resolve(construct.policy_document), buckets):
                _acknowledge(
                    construct,
                    {f"AwsSolutions-IAM5[Resource::{pattern}]": OBJECTS_UNDER_A_PREFIX},
                )
        if isinstance(construct, sqs.Queue) and is_dead_letter_queue(construct):
            queue = construct.node.default_child
            if isinstance(queue, Construct):
                _acknowledge(queue, {"AwsSolutions-SQS3": DEAD_LETTERS_OF_A_RULE})
        for kind, reasons in REASONS.items():
            if isinstance(construct, kind):
                _acknowledge(construct, reasons)


def _acknowledge(construct: Construct, reasons: dict[str, str]) -> None:
    Validations.of(construct).acknowledge(
        *(
            Acknowledgment(id=f"AwsSolutions::{rule}", reason=reason)
            for rule, reason in reasons.items()
        )
    )


def _object_patterns(document: dict[str, Any], buckets: set[str]) -> Iterator[str]:
    """`<Bucket.Arn>/prefix/*`, as cdk-nag spells it, for each such resource of a policy."""
    for statement in document["Statement"]:
        given = statement["Resource"]
        for resource in given if isinstance(given, list) else [given]:
            match resource:
                case {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, str(rest)]]} if (
                    bucket in buckets and re.fullmatch(r"/([a-z]+/)?\*(\.[a-z]+)?", rest)
                ):
                    yield f"<{bucket}.Arn>{rest}"
