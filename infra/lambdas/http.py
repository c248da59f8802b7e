"""The functions behind the API, and its authorizer."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from infra.data import LIVE_INDEX, QR_PREFIX
from infra.lambdas.base import Functions
from infra.lambdas.permissions import allow, index_arn, leading_keys, on_table
from infra.sizes import FEW_CALLS_MB, ONE_VCPU_MB

#: One second less than API Gateway's timeout, so a function can still send its own error.
HTTP_TIMEOUT = Duration.seconds(28)


class HttpFunctions:
    """One attribute for each function."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._permissions = functions.permissions
        self._resources = functions.resources
        self._data = functions.resources.data
        self.authorizer = self._authorizer()
        self.links = self._links()
        self.deletions = self._deletions()
        self.qr = self._qr()
        self.account = self._account()
        self.keys = self._keys()
        self.receipts = self._receipts()
        self.pages = self._pages()
        self.redirect = self._redirect()
        self.analytics = self._analytics()

    def _authorizer(self) -> lambda_.Function:
        users = self._resources.users
        return self._functions.add(
            "authorizer",
            timeout=Duration.seconds(5),
            memory_mb=FEW_CALLS_MB,
            environment={
                **self._functions.table_names("access"),
                "SESSION_ISSUER": users.issuer,
                "SESSION_CLIENT_IDS": " ".join(
                    client.user_pool_client_id for client in (users.client, users.console_client)
                ),
            },
            statements=[
                on_table(self._data.access, "GetItem"),
                self._permissions.record_key_use(),
            ],
        )

    def _links(self) -> lambda_.Function:
        return self._api(
            "links",
            tables=("links", "deletions"),
            signs_cursors=True,
            statements=[
                # Deleting: an external id that moves to another link, and creating all links or
                # none.
                on_table(
                    self._data.links,
                    "BatchGetItem",
                    "DeleteItem",
                    "GetItem",
                    "PutItem",
                    "UpdateItem",
                ),
                allow("dynamodb:Query", on=[index_arn(self._data.links, LIVE_INDEX)]),
                self._permissions.use_idempotency_keys("GetItem", "PutItem", "UpdateItem"),
            ],
        )

    def _deletions(self) -> lambda_.Function:
        queue = self._resources.queues.resume
        return self._api(
            "deletions",
            tables=("links", "clicks", "deletions"),
            signs_cursors=True,
            memory_mb=ONE_VCPU_MB,
            environment={
                "RESUME_QUEUE_URL": queue.queue_url,
                "EXPORTS_BUCKET": self._data.exports_bucket.bucket_name,
            },
            statements=[
                self._permissions.delete_links(),
                self._permissions.quarantine_codes(),
                self._permissions.record_deletions(),
                self._permissions.read_erasures(),
                # The second is for deletions by filter, which are resolved to ids first.
                on_table(self._data.deletions, "Query"),
                allow("dynamodb:Query", on=[index_arn(self._data.links, LIVE_INDEX)]),
                self._permissions.use_export_slots("Query", "PutItem"),
                allow("sqs:SendMessage", on=[queue.queue_arn]),
                self._permissions.read_exports(),
            ],
        )

    def _qr(self) -> lambda_.Function:
        bucket = self._data.qr_bucket
        return self._api(
            "qr",
            tables=("links",),
            environment={
                "QR_BUCKET": bucket.bucket_name,
            },
            statements=[
                on_table(self._data.links, "GetItem", "UpdateItem"),
                # Deleting: an image whose link was deleted while it was being rendered.
                allow(
                    "s3:DeleteObject",
                    "s3:GetObject",
                    "s3:PutObject",
                    on=[bucket.arn_for_objects(f"{QR_PREFIX}*")],
                ),
                # Without it S3 answers AccessDenied, not NoSuchKey, for a missing image.
                allow("s3:ListBucket", on=[bucket.bucket_arn]),
            ],
        )

    def _account(self) -> lambda_.Function:
        return self._api(
            "account",
            tables=("links", "deletions"),
            signs_cursors=True,
            statements=[
                # The trash: soft deletions and the links that they name.
                on_table(self._data.links, "BatchGetItem"),
                on_table(self._data.deletions, "GetItem", "Query"),
            ],
        )

    def _keys(self) -> lambda_.Function:
        access = self._data.access
        return self._api(
            "keys",
            tables=("deletions",),
            signs_cursors=True,
            statements=[
                # A key is revoked only while another admin credential is there.
                on_table(
                    access,
                    "ConditionCheckItem",
                    "GetItem",
                    when=leading_keys("KEY#*", "KEYS#*", "USER#*"),
                ),
                on_table(access, "BatchGetItem", when=leading_keys("KEY#*", "USER#*")),
                on_table(access, "Query", when=leading_keys("KEYS#*", "WS#*")),
                on_table(access, "PutItem", when=leading_keys("KEY#*", "KEYS#*")),
                self._permissions.revoke_keys(),
                self._permissions.use_idempotency_keys("GetItem", "PutItem"),
            ],
        )

    def _receipts(self) -> lambda_.Function:
        return self._api(
            "receipts",
            tables=("deletions",),
            statements=[
                on_table(self._data.deletions, "GetItem"),
                # The public keys.
                on_table(self._data.deletions, "Query", when=leading_keys("JWKS")),
            ],
        )

    def _pages(self) -> lambda_.Function:
        settings = self._functions.settings
        return self._functions.add(
            "pages",
            timeout=Duration.seconds(10),
            memory_mb=FEW_CALLS_MB,
            environment={
                "API_BASE_URL": settings.api_base,
                "HOME_URL": settings.home_url,
                "SIGN_IN_URL": self._resources.users.domain.base_url(),
                "SIGN_IN_CLIENT_ID": self._resources.users.console_client.user_pool_client_id,
            },
            statements=[],
        )

    def _redirect(self) -> lambda_.Function:
        return self._functions.add(
            "redirect",
            timeout=Duration.seconds(10),
            memory_mb=FEW_CALLS_MB,
            platform_logs=False,
            environment={
                **self._functions.table_names("links", "clicks"),
                **self._origin_environment(),
            },
            statements=[
                on_table(self._data.links, "GetItem"),
                self._permissions.spread_clicks(),
                on_table(self._data.clicks, "PutItem"),
            ],
        )

    def _analytics(self) -> lambda_.Function:
        queue = self._resources.queues.export
        return self._api(
            "analytics",
            tables=("links", "clicks", "deletions"),
            environment={
                "EXPORTS_BUCKET": self._data.exports_bucket.bucket_name,
                "EXPORT_QUEUE_URL": queue.queue_url,
            },
            statements=[
                on_table(self._data.links, "ConditionCheckItem", "GetItem"),
                # Writing: installs and the records of exports.
                on_table(self._data.clicks, "GetItem", "PutItem", "Query", "UpdateItem"),
                self._permissions.read_exports(),
                allow("sqs:SendMessage", on=[queue.queue_arn]),
                self._permissions.use_idempotency_keys("GetItem", "PutItem"),
            ],
        )

    def _api(
        self,
        name: str,
        *,
        tables: Sequence[str],
        statements: Sequence[iam.PolicyStatement],
        environment: Mapping[str, str] | None = None,
        memory_mb: int = FEW_CALLS_MB,
        signs_cursors: bool = False,
    ) -> lambda_.Function:
        """A function that serves keyed routes. It counts each request in `access`."""
        settings, cursor = self._functions.settings, self._resources.secrets.cursor
        return self._functions.add(
            name,
            timeout=HTTP_TIMEOUT,
            memory_mb=memory_mb,
            environment={
                "PUBLIC_BASE_URL": settings.short_url_base,
                "API_BASE_URL": settings.api_base,
                "CORS_ALLOW_ORIGINS": ",".join(settings.cors_allow_origins),
                **self._functions.table_names(*tables, "access"),
                **({"CURSOR_SECRET_ARN": cursor.secret_arn} if signs_cursors else {}),
                **(environment or {}),
            },
            statements=[
                *statements,
                self._permissions.count_requests(),
                *([self._permissions.read_cursor_secret()] if signs_cursors else []),
            ],
        )

    def _origin_environment(self) -> dict[str, str]:
        """The distribution's secret, resolved by CloudFormation at deployment.

        Not read at run time: a call to Secrets Manager would lengthen each cold start of the
        redirect (docs/decisions/100-trust-in-viewer-headers.md).
        """
        origin = self._resources.secrets.origin
        return {} if origin is None else {"ORIGIN_SECRET": origin.secret_value.unsafe_unwrap()}
