"""The gateway's own responses."""

import json
from collections.abc import Sequence

from aws_cdk import aws_apigateway as apigateway

from infra.http_headers import STRICT_TRANSPORT_SECURITY

#: How long a client that the gateway throttled should wait: the length of a rate window.
THROTTLED_RETRY_AFTER_SECONDS = 60


def add_gateway_responses(
    rest_api: apigateway.RestApi,
    *,
    cors_allow_origins: Sequence[str],
    exposed_headers: Sequence[str],
) -> None:
    """Give the gateway's own errors one body that clients of both error formats can read."""
    _GatewayResponses(rest_api, cors_allow_origins, exposed_headers).add_all()


class _GatewayResponses:
    def __init__(
        self, rest_api: apigateway.RestApi, origins: Sequence[str], exposed_headers: Sequence[str]
    ) -> None:
        self._rest_api = rest_api
        self._headers = {
            # Such a response cannot name one of several origins. It contains nothing to protect.
            "Access-Control-Allow-Origin": f"'{origins[0] if len(origins) == 1 else '*'}'",
            "Access-Control-Expose-Headers": f"'{','.join(exposed_headers)}'",
            "Strict-Transport-Security": f"'{STRICT_TRANSPORT_SECURITY}'",
            "X-Content-Type-Options": "'nosniff'",
            "X-Request-Id": "context.requestId",
        }

    def add_all(self) -> None:
        kind = apigateway.ResponseType
        for response_type in (kind.ACCESS_DENIED, kind.UNAUTHORIZED, kind.INVALID_API_KEY):
            self._add(
                response_type,
                status=401,
                english="Invalid API key",
                arabic="مفتاح API غير صالح",
                message="Authentication required",
                headers={"WWW-Authenticate": "Bearer"},
            )
        # A route that does not exist. The gateway treats a request to it as a signed AWS request:
        # without Authorization a token is missing, with it the signature is invalid. No method here
        # is signed, so DEFAULT_4XX means the same.
        for response_type in (
            kind.MISSING_AUTHENTICATION_TOKEN,
            kind.RESOURCE_NOT_FOUND,
            kind.INVALID_SIGNATURE,
            kind.EXPIRED_TOKEN,
            kind.DEFAULT_4_XX,
        ):
            self._add(
                response_type,
                status=404,
                english="Not found",
                arabic="غير موجود",
                message="Route not found",
            )
        for response_type in (kind.BAD_REQUEST_BODY, kind.BAD_REQUEST_PARAMETERS):
            self._add(response_type, status=400, english="Invalid request", arabic="طلب غير صالح")
        self._add(kind.WAF_FILTERED, status=403, english="Forbidden", arabic="محظور")
        self._add(
            kind.REQUEST_TOO_LARGE,
            status=413,
            english="Request body too large",
            arabic="حجم الطلب كبير جدًا",
        )
        self._add(
            kind.UNSUPPORTED_MEDIA_TYPE,
            status=415,
            english="Unsupported media type",
            arabic="نوع الوسائط غير مدعوم",
        )
        for response_type in (kind.THROTTLED, kind.QUOTA_EXCEEDED):
            self._add(
                response_type,
                status=429,
                english="Rate limit exceeded",
                arabic="تم تجاوز حد المعدل",
                members={"retryAfter": THROTTLED_RETRY_AFTER_SECONDS},
                headers={"Retry-After": str(THROTTLED_RETRY_AFTER_SECONDS)},
            )
        for response_type, status in (
            (kind.DEFAULT_5_XX, 500),
            (kind.AUTHORIZER_FAILURE, 500),
            (kind.AUTHORIZER_CONFIGURATION_ERROR, 500),
            (kind.API_CONFIGURATION_ERROR, 500),
            (kind.INTEGRATION_FAILURE, 502),
            (kind.INTEGRATION_TIMEOUT, 504),
        ):
            self._add(
                response_type,
                status=status,
                english="Internal server error",
                arabic="خطأ داخلي في الخادم",
            )

    def _add(
        self,
        response_type: apigateway.ResponseType,
        *,
        status: int,
        english: str,
        arabic: str,
        message: str | None = None,
        members: dict[str, int] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        body = {
            "statusCode": status,
            "error": {"en": english, "ar": arabic},
            "message": message or english,
            **(members or {}),
        }
        self._rest_api.add_gateway_response(
            response_type.response_type.title().replace("_", ""),
            type=response_type,
            status_code=str(status),
            response_headers={
                **self._headers,
                **{name: f"'{value}'" for name, value in (headers or {}).items()},
            },
            # JSON's own escapes: CloudFormation returns any character beyond ASCII as "?".
            templates={
                "application/json": json.dumps(body, ensure_ascii=True, separators=(",", ":"))
            },
        )
