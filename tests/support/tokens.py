"""Session tokens, good and forged: a stand-in for the user pool's signing."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Test"
CLIENT_ID = "client-1"


@cache
def private_key(name: str) -> RSAPrivateKey:
    """A key of 2,048 bits, the same for the same name."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def key_set(*names: str) -> bytes:
    """The JWK set with these keys, each named as it is called."""
    keys = []
    for name in names:
        document = jwt.algorithms.RSAAlgorithm.to_jwk(private_key(name).public_key(), as_dict=True)
        keys.append(document | {"kid": name, "alg": "RS256", "use": "sig"})
    return json.dumps({"keys": keys}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """Those of an access token, with changes; None leaves one out."""
    now = int(time.time())
    made = {
        "sub": "user-1",
        "iss": ISSUER,
        "client_id": CLIENT_ID,
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin",
        "iat": now,
        "exp": now + 3600,
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def token(*, key: str = "key-1", kid: str | None = None, **changes: Any) -> str:
    """An access token signed with `key`."""
    return jwt.encode(
        claims(**changes), private_key(key), algorithm="RS256", headers={"kid": kid or key}
    )


def unsigned(**changes: Any) -> str:
    """A token with `alg: none`, which a naive library would accept."""
    return ".".join(
        [_part({"alg": "none", "typ": "JWT", "kid": "key-1"}), _part(claims(**changes)), ""]
    )


def signed_with_public_key(**changes: Any) -> str:
    """HS256 with the public key as its secret: the classic confusion of algorithms."""
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = private_key("key-1").public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = _part({"alg": "HS256", "typ": "JWT", "kid": "key-1"})
    signed = f"{head}.{_part(claims(**changes))}"
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encode(mac)}"


def _part(content: dict[str, Any]) -> str:
    return _encode(json.dumps(content).encode())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class KeyServer:
    """Publishes keys, counts how often it is asked, and can be down."""

    names: tuple[str, ...] = ("key-1",)
    asked: int = 0
    down: bool = False
    addresses: list[str] = field(default_factory=list)

    def __call__(self, address: str) -> bytes:
        self.asked += 1
        self.addresses.append(address)
        if self.down:
            raise OSError("no route")
        return key_set(*self.names)
