"""The gateway's own responses."""

import json
from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_apigateway as apigateway
from aws_cdk.aws_apigateway import ResponseType

from infra.http_headers import STRICT_TRANSPORT_SECURITY

#: How long a client that the gateway throttled should wait: the length of a rate window.
THROTTLED_RETRY_AFTER_SECONDS = 60


def _body(status: int, english: str, arabic: str, **members: Any) -> dict[str, Any]:
    error = {"en": english, "ar": arabic}
    return {"statusCode": status, "error": error, "message": english} | members


_UNAUTHENTICATED = _body(
    401, "Invalid API key", "مفتاح API غير صالح", message="Authentication required"
)
_NOT_FOUND = _body(404, "Not found", "غير موجود", message="Route not found")
_INVALID = _body(400, "Invalid request", "طلب غير صالح")
_THROTTLED = _body(
    429, "Rate limit exceeded", "تم تجاوز حد المعدل", retryAfter=THROTTLED_RETRY_AFTER_SECONDS
)
_INTERNAL_ERROR = _body(500, "Internal server error", "خطأ داخلي في الخادم")

_BODIES = {
    ResponseType.ACCESS_DENIED: _UNAUTHENTICATED,
    ResponseType.UNAUTHORIZED: _UNAUTHENTICATED,
    ResponseType.INVALID_API_KEY: _UNAUTHENTICATED,
    # A route that does not exist. The gateway treats a request to it as a signed AWS request:
    # without Authorization a token is missing, with it the signature is invalid. No method here
    # is signed, so DEFAULT_4XX means the same.
    ResponseType.MISSING_AUTHENTICATION_TOKEN: _NOT_FOUND,
    ResponseType.RESOURCE_NOT_FOUND: _NOT_FOUND,
    ResponseType.INVALID_SIGNATURE: _NOT_FOUND,
    ResponseType.EXPIRED_TOKEN: _NOT_FOUND,
    ResponseType.DEFAULT_4_XX: _NOT_FOUND,
    ResponseType.BAD_REQUEST_BODY: _INVALID,
    ResponseType.BAD_REQUEST_PARAMETERS: _INVALID,
    ResponseType.WAF_FILTERED: _body(403, "Forbidden", "محظور"),
    ResponseType.REQUEST_TOO_LARGE: _body(413, "Request body too large", "حجم الطلب كبير جدًا"),
    ResponseType.UNSUPPORTED_MEDIA_TYPE: _body(
        415, "Unsupported media type", "نوع الوسائط غير مدعوم"
    ),
    ResponseType.THROTTLED: _THROTTLED,
    ResponseType.QUOTA_EXCEEDED: _THROTTLED,
    ResponseType.DEFAULT_5_XX: _INTERNAL_ERROR,
    ResponseType.AUTHORIZER_FAILURE: _INTERNAL_ERROR,
    ResponseType.AUTHORIZER_CONFIGURATION_ERROR: _INTERNAL_ERROR,
    ResponseType.API_CONFIGURATION_ERROR: _INTERNAL_ERROR,
    ResponseType.INTEGRATION_FAILURE: _INTERNAL_ERROR | {"statusCode": 502},
    ResponseType.INTEGRATION_TIMEOUT: _INTERNAL_ERROR | {"statusCode": 504},
}
_MORE_HEADERS = {
    401: {"WWW-Authenticate": "'Bearer'"},
    429: {"Retry-After": f"'{THROTTLED_RETRY_AFTER_SECONDS}'"},
}


def add_gateway_responses(
    rest_api: apigateway.RestApi,
    *,
    cors_allow_origins: Sequence[str],
    exposed_headers: Sequence[str],
) -> None:
    """Give the gateway's own errors one body that clients of both error formats can read."""
    # Such a response cannot name one of several origins. It contains nothing to protect.
    origin = cors_allow_origins[0] if len(cors_allow_origins) == 1 else "*"
    headers = {
        "Access-Control-Allow-Origin": f"'{origin}'",
        "Access-Control-Expose-Headers": f"'{','.join(exposed_headers)}'",
        "Strict-Transport-Security": f"'{STRICT_TRANSPORT_SECURITY}'",
        "X-Content-Type-Options": "'nosniff'",
        "X-Request-Id": "context.requestId",
    }
    for response_type, body in _BODIES.items():
        status = body["statusCode"]
        rest_api.add_gateway_response(
            response_type.response_type.title().replace("_", ""),
            type=response_type,
            status_code=str(status),
            response_headers=headers | _MORE_HEADERS.get(status, {}),
            # JSON's own escapes: CloudFormation returns any character beyond ASCII as "?".
            templates={
                "application/json": json.dumps(body, ensure_ascii=True, separators=(",", ":"))
            },
        )
