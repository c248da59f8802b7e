"""Template properties of data that the emulator ignores: retention and protection."""

from typing import Any

import pytest

from tests.support.template import (
    Template,
    resources,
    synthesize,
    synthesized_template,
)

TABLES = {"Links", "Clicks", "Deletions", "Access"}


def tables(template: Template) -> dict[str, dict[str, Any]]:
    """The four table resources by name, whole: with their deletion policies."""
    return {
        output.removesuffix("TableName"): template["Resources"][value["Value"]["Ref"]]
        for output, value in template["Outputs"].items()
        if output.endswith("TableName")
    }


def test_there_are_four_tables(template: Template) -> None:
    assert set(tables(template)) == TABLES
    assert len(resources(template, "AWS::DynamoDB::Table")) == len(TABLES)


@pytest.mark.parametrize("stage", ["prod", "dev", "local"])
@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_is_on_demand_with_ttl_and_point_in_time_recovery(stage: str, name: str) -> None:
    properties = tables(synthesized_template(stage))[name]["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert properties["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": {"prod": 35, "dev": 7, "local": 35}[stage],
    }


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_is_retained_and_protected_from_deletion(template: Template, name: str) -> None:
    table = tables(template)[name]
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["DeletionPolicy"] == "Retain"
    assert table["UpdateReplacePolicy"] == "Retain"


def test_streams_contain_the_images_that_their_readers_need(template: Template) -> None:
    streams = {
        name: table["Properties"].get("StreamSpecification", {}).get("StreamViewType")
        for name, table in tables(template).items()
    }
    assert streams == {
        "Links": "NEW_AND_OLD_IMAGES",
        "Clicks": "NEW_IMAGE",
        "Deletions": "NEW_AND_OLD_IMAGES",
        "Access": None,
    }


@pytest.mark.parametrize(
    ("table", "index", "partition_key", "sort_key"),
    [("Links", "live", "livePk", "liveSk"), ("Deletions", "open", "openPk", "openSk")],
)
def test_sparse_indexes_hold_keys_only(
    template: Template, table: str, index: str, partition_key: str, sort_key: str
) -> None:
    [definition] = tables(template)[table]["Properties"]["GlobalSecondaryIndexes"]
    assert [definition | {"OnDemandThroughput": None}] == [
        {
            "OnDemandThroughput": None,
            "IndexName": index,
            "KeySchema": [
                {"AttributeName": partition_key, "KeyType": "HASH"},
                {"AttributeName": sort_key, "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]


def buckets(template: Template) -> dict[str, dict[str, Any]]:
    """The buckets by name, `Qr` for that of the output `QrBucketName`, whole."""
    return {
        output.removesuffix("BucketName"): template["Resources"][value["Value"]["Ref"]]
        for output, value in template["Outputs"].items()
        if output.endswith("BucketName")
    }


@pytest.mark.parametrize(
    ("name", "prefix", "days"),
    [("Qr", "qr/", 30), ("Failures", None, 14), ("Exports", None, 7)],
)
def test_a_bucket_is_private_encrypted_and_expires_its_objects(
    template: Template, name: str, prefix: str | None, days: int
) -> None:
    bucket = buckets(template)[name]
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    [encryption] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    # A version would outlive its delete.
    assert "VersioningConfiguration" not in properties
    [rule] = properties["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule.get("Prefix") == prefix
    assert rule["ExpirationInDays"] == days


def test_secrets_are_generated_and_not_in_the_template(template: Template) -> None:
    secrets = resources(template, "AWS::SecretsManager::Secret").values()
    # Of cursors, and of visitors' hashes.
    assert len(secrets) == 2
    for secret in secrets:
        assert secret["Properties"]["GenerateSecretString"]["PasswordLength"] >= 32
        assert "SecretString" not in secret["Properties"]


@pytest.mark.parametrize("origins", ["*", "https://a.example,https://b.example"])
def test_scripts_of_the_allowed_origins_may_fetch_exports(origins: str) -> None:
    bucket = buckets(synthesize(corsAllowOrigins=origins))["Exports"]
    assert bucket["Properties"]["CorsConfiguration"]["CorsRules"] == [
        {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": origins.split(","), "MaxAge": 3_600}
    ]


def test_only_the_exports_bucket_has_a_cors_rule(template: Template) -> None:
    with_rule = {
        name
        for name, bucket in buckets(template).items()
        if "CorsConfiguration" in bucket["Properties"]
    }
    assert with_rule == {"Exports"}
