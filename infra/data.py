"""The tables and buckets. Each of the four tables has its own retention and permissions."""

from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.settings import OnDemand, Settings

EXPORTS_PREFIX = "exports/"
LIVE_INDEX = "live"
OPEN_INDEX = "open"
QR_PREFIX = "qr/"


class Data(Construct):
    """The `links`, `clicks`, `deletions` and `access` tables and the bucket of rendered QR codes.

    Every table has the key (`pk`, `sk`), both strings, and expires items by their `ttl` attribute
    (Unix seconds).
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings

        # Both images: the cleanup reads from the old one which QR objects to remove.
        self.links = self._table("Links", stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES)
        self._add_sparse_index(self.links, LIVE_INDEX, partition_key="livePk", sort_key="liveSk")

        self.clicks = self._table("Clicks", stream=dynamodb.StreamViewType.NEW_IMAGE)

        # Both images: an event is sent when a record's state changes, not at every change of a
        # record.
        self.deletions = self._table("Deletions", stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES)
        self._add_sparse_index(
            self.deletions, OPEN_INDEX, partition_key="openPk", sort_key="openSk"
        )

        self.access = self._table("Access")

        # The rule removes an image that was rendered while its link was being deleted. The image of
        # a live link is rendered again on the next request.
        self.qr_bucket = self._bucket("QrBucket", "expire-qr-images", days=30, prefix=QR_PREFIX)

        # Whole stream records that could not be processed, until an operator replays them. They
        # contain images of links, deleted ones too, so they are not kept longer than dead letters.
        self.failures_bucket = self._bucket("FailuresBucket", "expire-failures", days=14)

        # They contain personal data of visitors, so they expire soon.
        self.exports_bucket = self._bucket("ExportsBucket", "expire-exports", days=7)
        # For scripts of web pages. A download link, as in the console, needs no rule.
        self.exports_bucket.add_cors_rule(
            allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD],
            allowed_origins=[*settings.cors_allow_origins],
            max_age=3_600,
        )

    def _bucket(
        self, construct_id: str, rule_id: str, *, days: int, prefix: str | None = None
    ) -> s3.Bucket:
        """A private bucket whose rule removes objects after some days.

        Without versioning, because deleted data must really be gone.
        """
        return s3.Bucket(
            self,
            construct_id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy[self._settings.removal_policy],
            lifecycle_rules=[
                s3.LifecycleRule(
                    id=rule_id,
                    prefix=prefix,
                    expiration=Duration.days(days),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
        )

    def _table(
        self, construct_id: str, *, stream: dynamodb.StreamViewType | None = None
    ) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            construct_id,
            partition_key=_string("pk"),
            sort_key=_string("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            **_throughput(self._settings.capacity),
            time_to_live_attribute="ttl",
            stream=stream,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True,
                recovery_period_in_days=self._settings.recovery_days,
            ),
            deletion_protection=self._settings.deletion_protection,
            removal_policy=RemovalPolicy[self._settings.removal_policy],
        )

    def _add_sparse_index(
        self, table: dynamodb.Table, index_name: str, *, partition_key: str, sort_key: str
    ) -> None:
        """Add an index that holds only the items that carry both keys, and only their keys."""
        table.add_global_secondary_index(
            index_name=index_name,
            partition_key=_string(partition_key),
            sort_key=_string(sort_key),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            **_throughput(self._settings.capacity),
        )


def _throughput(capacity: OnDemand) -> dict[str, Any]:
    """The keyword arguments that set the capacity of a table and of an index."""
    throughput: dict[str, Any] = {
        "max_read_request_units": capacity.max_reads,
        "max_write_request_units": capacity.max_writes,
    }
    if capacity.warm_reads or capacity.warm_writes:
        throughput["warm_throughput"] = dynamodb.WarmThroughput(
            read_units_per_second=capacity.warm_reads, write_units_per_second=capacity.warm_writes
        )
    return throughput


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
