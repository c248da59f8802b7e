"""The settings that may differ between stages. Everything else is the same template.

The module loads no CDK, so an invalid setting is found without it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from infra.packaging import Target
from infra.sizes import CLICK_WINDOW

#: As browsers write it (RFC 6454, section 7): no path, not even a slash. Nothing else may reach the
#: templates that contain origins.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")

#: An absolute URL in ASCII as `Location` takes it (RFC 3986; escapes are the operator's to write).
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][!-~]*)?")

#: The start of short URLs: without a query, because a short code follows. Cognito returns users to
#: the console under it, and so refuses plain HTTP, except on the machine of a developer.
_BASE_URL = re.compile(
    r"(https://[A-Za-z0-9.-]+|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?(/[!$-.0-;=@-~]+)*"
)

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")

_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[\w-]+")
_CDN_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/[\w-]+")

#: What API destinations take, without the `*` for path parameters (EventBridge API Reference,
#: "CreateApiDestination").
_ENDPOINT = re.compile(r"(?=.{1,2048}\Z)https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!$-)+->@-~]*)?")

#: Secrets Manager API Reference, "CreateSecret".
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")

_CDN_WEB_ACL = re.compile(r"arn:aws[a-z-]*:wafv2:us-east-1:[0-9]{12}:global/webacl/[\w-]+/[\w-]+")

#: One address, as SNS takes it: it refuses another as "Invalid parameter: Email address".
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+")

#: API Gateway's default quota of an account and region, requests a second. Some regions have a
#: quarter of it (API Gateway Developer Guide, "Quotas", "Throttle quota per account").
ACCOUNT_RATE_QUOTA = 10_000


@dataclass(frozen=True, kw_only=True)
class OnDemand:
    """Pay per request. Numbers are units per second, of each table and of each of its indexes.

    `warm_*` is the load that the table can serve at once, before it scales. A new on-demand table
    starts at 12,000 read and 4,000 write units (DynamoDB Developer Guide, "Warm throughput"); only
    more than that is paid for, once. `max_*` limits what a mistake can cost; DynamoDB throttles
    requests beyond it.
    """

    warm_reads: int | None = None
    warm_writes: int | None = None
    max_reads: int | None = None
    max_writes: int | None = None


@dataclass(frozen=True, kw_only=True)
class CustomDomain:
    """A custom domain name in front of the API.

    `certificate_arn` names an ACM certificate in the stack's region. With a hosted zone the DNS
    records are created too; without one, point the name at the `DomainTarget` output yourself.
    """

    name: str
    certificate_arn: str
    #: The base path of the API, without slashes; "" for the whole name.
    base_path: str = ""
    hosted_zone_id: str = ""

    def __post_init__(self) -> None:
        _check_host_name("domainName", self.name)
        if not _CERTIFICATE.fullmatch(self.certificate_arn):
            raise ValueError(
                f"certificateArn {self.certificate_arn!r}: domainName needs the ARN of an ACM "
                "certificate in the region of the stack"
            )

    @property
    def url(self) -> str:
        """The origin of short URLs, without a trailing slash."""
        return f"https://{self.name}/{self.base_path}".rstrip("/")


@dataclass(frozen=True, kw_only=True)
class Cdn:
    """CloudFront in front of the redirects. It never caches them, so a delete takes effect at once.

    `domain_name` needs an ACM certificate in us-east-1; without it the distribution has a
    CloudFront name. `web_acl_arn` names a web ACL with the scope CLOUDFRONT, also in us-east-1; ""
    for none.
    """

    domain_name: str = ""
    certificate_arn: str = ""
    web_acl_arn: str = ""

    def __post_init__(self) -> None:
        if self.domain_name:
            _check_host_name("cdnDomainName", self.domain_name)
        certificate = self.certificate_arn
        if bool(self.domain_name) != bool(certificate) or (
            certificate and not _CDN_CERTIFICATE.fullmatch(certificate)
        ):
            raise ValueError(
                f"cdnCertificateArn {certificate!r}: cdnDomainName needs the ARN of an ACM "
                "certificate in us-east-1, and each needs the other"
            )
        if self.web_acl_arn and not _CDN_WEB_ACL.fullmatch(self.web_acl_arn):
            raise ValueError(
                f"cdnWebAclArn {self.web_acl_arn!r}: expected the ARN of a web ACL with the scope "
                "CLOUDFRONT, arn:aws:wafv2:us-east-1:ACCOUNT:global/webacl/NAME/ID"
            )


@dataclass(frozen=True, kw_only=True)
class EventsEndpoint:
    """An HTTPS endpoint that gets every event of the bus.

    `secret` is the name of a secret in Secrets Manager that contains the endpoint's key. It must
    exist when the stack is deployed.
    """

    url: str
    secret: str

    def __post_init__(self) -> None:
        if not _ENDPOINT.fullmatch(self.url):
            raise ValueError(
                f"eventsUrl {self.url!r}: expected an HTTPS URL without a query, such as "
                "https://hooks.example.com/unlink, of at most 2,048 characters"
            )
        if not _SECRET_NAME.fullmatch(self.secret):
            raise ValueError(
                f"eventsSecret {self.secret!r}: eventsUrl needs the name of the secret that holds "
                "the endpoint's key, such as unlink/events"
            )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one stage; `infra.stages` creates one object for each.

    The defaults are those of production, so a forgotten keyword never loses data.
    """

    stage: str
    #: The platform that the wheels of the functions are for.
    target: Target
    #: Tables, bucket, secret and log groups when the stack is deleted or a resource is replaced: a
    #: name of the CDK's `RemovalPolicy`.
    removal_policy: Literal["RETAIN", "DESTROY"] = "RETAIN"
    deletion_protection: bool = True
    #: Point-in-time recovery in days (1 to 35). An erased link can be restored from a backup for
    #: this long: see docs/operations.md.
    recovery_days: int = 35
    capacity: OnDemand = OnDemand()
    #: Origin of short URLs without a trailing slash; "" takes that of the custom domain, and
    #: without one derives it from each request.
    public_base_url: str = ""
    #: Where a visit to `/` is redirected; "" shows the page of an unknown link.
    home_url: str = ""
    custom_domain: CustomDomain | None = None
    cdn: Cdn | None = None
    #: A web ACL at the API's stage: address reputation, known bad inputs, rates per address. With a
    #: distribution it excludes traffic from CloudFront, and the distribution needs its own web ACL.
    waf: bool = False
    #: Which KMS key signs the receipts of erasures; the next number creates a new key. 0: receipts
    #: are not signed.
    receipt_key: int = 1
    #: Origins that browsers may call `/api` from. By default any may, without credentials: a caller
    #: is identified by its Authorization header alone, which browsers do not send on their own.
    cors_allow_origins: tuple[str, ...] = ("*",)
    #: At least INFO: metrics are lines of that level, and Lambda drops lines below its log level.
    log_level: Literal["DEBUG", "INFO"] = "INFO"
    #: A name of the CDK's `RetentionDays`.
    log_retention: Literal["ONE_WEEK", "ONE_MONTH", "THREE_MONTHS"] = "ONE_MONTH"
    #: Where alarms go, in addition to the stack's own topic (the `AlarmTopicArn` output).
    alarm_email: str = ""
    #: Where every event of the bus is sent too.
    events_endpoint: EventsEndpoint | None = None
    #: Cognito's default style for its sign-in page. AWS needs one; the emulator has neither the
    #: style nor the page.
    managed_login_style: bool = True
    #: Shift a tenth of the traffic to a new version for five minutes, and back if an alarm goes
    #: off.
    gradual_deployment: bool = True
    #: Function name -> reserved concurrent executions, taken from the account's quota.
    reserved_concurrency: Mapping[str, int] = field(default_factory=dict)
    #: Requests a second for each method, below the account's quota: a flood without a key must not
    #: use up the quota of the account's other APIs.
    rate_limit: int = 4_000
    #: Seconds that clicks are collected before they are counted.
    click_window: int = CLICK_WINDOW
    #: Erase workers at a time: enough to empty a full queue in minutes.
    concurrent_erasures: int = 20

    def __post_init__(self) -> None:
        if self.public_base_url and not _BASE_URL.fullmatch(self.public_base_url):
            raise ValueError(
                f"publicBaseUrl {self.public_base_url!r}: expected a URL such as "
                "https://go.example.com, without a query"
            )
        if self.home_url and not self._is_elsewhere(self.home_url):
            raise ValueError(
                f"homeUrl {self.home_url!r}: expected a URL such as https://www.example.com/ that "
                "is not the service's own /"
            )
        if not 0 < self.rate_limit < ACCOUNT_RATE_QUOTA:
            raise ValueError(
                f"rateLimit {self.rate_limit}: expected 1 to {ACCOUNT_RATE_QUOTA - 1} requests a "
                "second, below the account's quota for API Gateway"
            )
        if self.alarm_email and not _EMAIL.fullmatch(self.alarm_email):
            raise ValueError(
                f"alarmEmail {self.alarm_email!r}: expected one address such as ops@example.com"
            )
        origins = self.cors_allow_origins
        if origins != ("*",) and not (origins and all(map(_ORIGIN.fullmatch, origins))):
            raise ValueError(
                f"corsAllowOrigins {','.join(origins)!r}: expected * alone, or origins such as "
                "https://app.example.com, separated by commas"
            )

    def _is_elsewhere(self, url: str) -> bool:
        """Whether browsers follow a redirect from `/` to `url`, and it is not a loop."""
        own = {self.short_url_base, self._domain_url} - {""}
        return bool(_URL.fullmatch(url)) and url.rstrip("/") not in own

    @property
    def burst_limit(self) -> int:
        """Requests at once: half of the rate, as AWS sets its own quotas."""
        return max(1, self.rate_limit // 2)

    @property
    def redirect_rate_limit(self) -> int:
        """Visits a second, and at once, for all links together. Less than the stage's limit, so
        the API stays reachable.
        """
        return max(1, self.rate_limit * 5 // 8)

    @property
    def short_url_base(self) -> str:
        """The base of short URLs; "" if it is derived from each request."""
        if self.public_base_url:
            return self.public_base_url
        if self.cdn is not None and self.cdn.domain_name:
            return f"https://{self.cdn.domain_name}"
        return self._domain_url

    @property
    def api_base(self) -> str:
        """The URL of the API; "" if it is derived from each request. CloudFront passes only
        redirects.
        """
        return self.short_url_base if self.cdn is None else self._domain_url

    @property
    def _domain_url(self) -> str:
        return self.custom_domain.url if self.custom_domain else ""


def _check_host_name(option: str, given: str) -> None:
    if not _HOST_NAME.fullmatch(given):
        raise ValueError(f"{option} {given!r}: expected a host name such as go.example.com")
