"""What may differ between stages. Everything else is the same template everywhere."""

import re
from dataclasses import dataclass

from aws_cdk import RemovalPolicy

from infra.packaging import Target

#: As browsers spell it (RFC 6454, section 7): no path, not even a slash. Nothing else may reach
#: the templates that origins are written into.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one stage; `app.py` holds one object for each.

    The defaults are those of production, so that a forgotten keyword errs on the side of keeping
    data.
    """

    stage: str
    #: What the wheels of the functions are chosen for.
    target: Target
    #: Tables, bucket, secret and log groups when the stack goes or a resource is replaced.
    removal_policy: RemovalPolicy = RemovalPolicy.RETAIN
    deletion_protection: bool = True
    #: Origin of short URLs without a trailing slash; "" derives it from each request.
    public_base_url: str = ""
    #: Origins that browsers may call `/api` from. Any may by default, without credentials: a
    #: caller is known by its Authorization alone, which no browser sends by itself.
    cors_allow_origins: tuple[str, ...] = ("*",)
    log_level: str = "INFO"
    #: Redirects take no key, so this is their only ceiling: requests per second, for all links.
    redirect_rate_limit: int = 2_500
    redirect_burst_limit: int = 2_500

    def __post_init__(self) -> None:
        origins = self.cors_allow_origins
        if origins != ("*",) and not (origins and all(map(_ORIGIN.fullmatch, origins))):
            raise ValueError(
                f"corsAllowOrigins {','.join(origins)!r}: expected * alone, or origins such as "
                "https://app.example.com, separated by commas"
            )
