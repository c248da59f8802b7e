"""IAM statements that several functions share. No role has more than its function uses."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam

from infra.data import EXPORTS_PREFIX, QR_PREFIX, Data
from infra.events import Events
from infra.secrets import Secrets


def allow(
    *actions: str, on: Sequence[str], when: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    """A statement that allows the actions on the resources (ARNs) under the conditions."""
    return iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=when)


def on_table(
    table: dynamodb.Table, *actions: str, when: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    """A statement that allows these actions of DynamoDB on a table, not on its indexes."""
    names = [f"dynamodb:{action}" for action in actions]
    return allow(*names, on=[table.table_arn], when=when)


def index_arn(table: dynamodb.Table, index_name: str) -> str:
    return f"{table.table_arn}/index/{index_name}"


def leading_keys(*patterns: str) -> dict[str, dict[str, object]]:
    """A condition that limits a DynamoDB action to items whose `pk` matches a pattern."""
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(patterns)},
        # ForAllValues also holds for a request that has no such key.
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def _only_attributes(*names: str) -> dict[str, dict[str, object]]:
    """A condition that limits a DynamoDB write to these attributes of an item."""
    return {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", *names]},
        # ForAllValues also holds for a request that has no such key.
        "Null": {"dynamodb:Attributes": "false"},
        # Otherwise the response could contain the whole item.
        "StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"},
    }


#: The slots of unfinished exports in `clicks`. They belong to no link.
EXPORT_SLOTS = leading_keys("EXPORTS#*")


class Permissions:
    """The shared statements of one stack."""

    def __init__(self, *, data: Data, secrets: Secrets, events: Events) -> None:
        self._data = data
        self._secrets = secrets
        self._events = events

    def delete_links(self) -> iam.PolicyStatement:
        return on_table(self._data.links, "BatchGetItem", "DeleteItem", "GetItem", "PartiQLUpdate")

    def quarantine_codes(self) -> iam.PolicyStatement:
        """Keep the code of an erased link reserved for a while."""
        return on_table(self._data.links, "UpdateItem", when=leading_keys("CODE#*"))

    def record_deletions(self) -> iam.PolicyStatement:
        """Create and update deletions, never delete them.

        Without `BatchWriteItem`: its permission includes deleting.
        """
        return on_table(self._data.deletions, "GetItem", "PutItem", "UpdateItem")

    def read_erasures(self) -> iam.PolicyStatement:
        """Read by which deletion a removed link was deleted before."""
        return on_table(self._data.deletions, "BatchGetItem", when=leading_keys("LINK#*"))

    def use_idempotency_keys(self, *actions: str) -> iam.PolicyStatement:
        """Read and claim Idempotency-Keys, but no deletion in the same table."""
        return on_table(self._data.deletions, *actions, when=leading_keys("IDEM#*"))

    def use_export_slots(self, *actions: str) -> iam.PolicyStatement:
        """The workspace's slots for unfinished exports, but nothing of a link."""
        return on_table(self._data.clicks, *actions, when=EXPORT_SLOTS)

    def read_exports(self) -> iam.PolicyStatement:
        """For signed URLs: a URL may do what its signer may."""
        return allow("s3:GetObject", on=[self._exports("*")])

    def save_export_tails(self) -> iam.PolicyStatement:
        """Read and delete what an unfinished export has saved of its next part."""
        return allow("s3:DeleteObject", "s3:GetObject", on=[self._exports("*.tail")])

    def delete_images(self) -> iam.PolicyStatement:
        return allow("s3:DeleteObject", on=[self._data.qr_bucket.arn_for_objects(f"{QR_PREFIX}*")])

    def send_events(self) -> iam.PolicyStatement:
        return allow("events:PutEvents", on=[self._events.bus.event_bus_arn])

    def count_requests(self) -> iam.PolicyStatement:
        """Update the rate windows, but no API key or workspace in the same table."""
        return on_table(self._data.access, "UpdateItem", when=leading_keys("RATE#*"))

    def count_links(self) -> iam.PolicyStatement:
        """Update the counters of live links, but no link."""
        return on_table(self._data.links, "UpdateItem", when=leading_keys("COUNT#*"))

    def spread_clicks(self) -> iam.PolicyStatement:
        """Remove the mark that a link's clicks are in one partition; no other attribute, no code.

        Links have keys of any workspace, so the keys cannot be limited.
        """
        return on_table(self._data.links, "UpdateItem", when=_only_attributes("onePartition"))

    def record_key_use(self) -> iam.PolicyStatement:
        """Write when a key was last used, but no other attribute: above all, no scopes."""
        return self._write_to_keys("lastUsedAt")

    def revoke_keys(self) -> iam.PolicyStatement:
        """Write when a key was revoked, but no other attribute of an existing key."""
        return self._write_to_keys("revokedAt")

    def _write_to_keys(self, attribute: str) -> iam.PolicyStatement:
        return on_table(
            self._data.access,
            "UpdateItem",
            when={
                **_only_attributes(attribute),
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["KEY#*"]},
                # ForAllValues also holds for a request that has no such key.
                "Null": {"dynamodb:LeadingKeys": "false", "dynamodb:Attributes": "false"},
            },
        )

    def read_cursor_secret(self) -> iam.PolicyStatement:
        return allow("secretsmanager:GetSecretValue", on=[self._secrets.cursor.secret_arn])

    def _exports(self, pattern: str) -> str:
        return self._data.exports_bucket.arn_for_objects(f"{EXPORTS_PREFIX}{pattern}")
