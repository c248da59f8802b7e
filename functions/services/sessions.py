"""Session tokens: access tokens of the Cognito user pool, verified against its published keys.

The checks are those of "Verifying JSON web tokens" in the Amazon Cognito Developer Guide: signature
(RS256 only), issuer, ``client_id``, ``token_use``, expiry.

Large imports happen with the first session token, so API keys do not need them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

#: Cognito's signing algorithm. The token's header does not choose it.
ALGORITHM = "RS256"

#: Maximum length of a token; Cognito's are 1 to 2 KB.
MAX_TOKEN = 8_192

#: Seconds after which the keys are fetched again.
KEYS_LAST = 3_600

#: A token with an unknown key id may be signed by a new key, so the keys are fetched again. The
#: seconds between two such fetches, because anyone can write such a token.
KEYS_REST = 10

FETCH_TIMEOUT = 2.0
MAX_KEYS_BYTES = 64 * 1024


class InvalidSession(Exception):
    """Not a token that this pool gave to one of these clients, or no longer valid."""


class KeysUnavailable(Exception):
    """The pool's keys could not be fetched, so it is unknown whether the token is valid."""


@dataclass(frozen=True, slots=True)
class Session:
    """The user of a session, and its expiry in Unix seconds."""

    user_id: str
    expires_at: int


class SigningKeys:
    """The public keys of a user pool by their ids, fetched on demand and cached."""

    def __init__(
        self,
        issuer: str,
        *,
        fetch: Callable[[str], bytes] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = _keys_address(issuer)
        self._fetch = fetch or _fetch
        self._now = now
        self._keys: dict[str, Any] = {}
        self._fetched: float | None = None
        self._tried: float | None = None

    def find(self, key_id: str) -> Any:
        """The key of this id; raises :class:`InvalidSession` or :class:`KeysUnavailable`."""
        now = self._now()
        stale = self._fetched is None or now - self._fetched > KEYS_LAST
        rested = self._tried is None or now - self._tried >= KEYS_REST
        if (stale or key_id not in self._keys) and (rested or self._fetched is None):
            self._tried = now
            try:
                self._keys = _parse_keys(self._fetch(self._address))
                self._fetched = now
            except (OSError, ValueError) as error:
                # Known keys stay valid during an outage of Cognito.
                if key_id not in self._keys:
                    raise KeysUnavailable from error
        if key_id not in self._keys:
            raise InvalidSession("signed with a key that the pool does not publish")
        return self._keys[key_id]


@dataclass(frozen=True, slots=True)
class SessionPool:
    """The user pool that signs sessions, and the clients whose tokens are accepted."""

    issuer: str
    client_ids: frozenset[str]
    keys: SigningKeys


def looks_like_token(credential: str) -> bool:
    """A cheap check before the imports: three parts, the first a JSON object in base64url."""
    return (
        len(credential) <= MAX_TOKEN and credential.startswith("ey") and credential.count(".") == 2
    )


def verify(token: str, *, issuer: str, client_ids: Collection[str], keys: SigningKeys) -> Session:
    """The session of an access token; raises :class:`InvalidSession`, ``KeysUnavailable``."""
    import jwt

    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
            raise InvalidSession("wrong signature algorithm")
        claims = jwt.decode(
            token,
            keys.find(header["kid"]),
            algorithms=[ALGORITHM],
            issuer=issuer,
            options={
                "require": ["exp", "iss", "sub", "client_id", "token_use"],
                # Access tokens have no audience; client_id is checked instead.
                "verify_aud": False,
                # Not part of the validity, and clocks may differ.
                "verify_iat": False,
            },
        )
    except jwt.PyJWTError as error:
        raise InvalidSession(type(error).__name__) from None
    if claims["token_use"] != "access":  # noqa: S105 (no secret: the kind of token)
        raise InvalidSession("not an access token")
    if claims["client_id"] not in client_ids:
        raise InvalidSession("given to another client")
    return Session(str(claims["sub"]), int(claims["exp"]))


def _keys_address(issuer: str) -> str:
    """The URL of the pool's keys; an SDK endpoint override (an emulator) applies here too."""
    path = f"{urlsplit(issuer).path}/.well-known/jwks.json"
    for name in ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "AWS_ENDPOINT_URL"):
        if endpoint := os.environ.get(name):
            return endpoint.rstrip("/") + path
    return f"https://{urlsplit(issuer).netloc}{path}"


def _fetch(address: str) -> bytes:
    from urllib.request import urlopen

    with urlopen(address, timeout=FETCH_TIMEOUT) as response:  # noqa: S310 (made from settings)
        return bytes(response.read(MAX_KEYS_BYTES))


def _parse_keys(document: bytes) -> dict[str, Any]:
    """The RSA signing keys of a JWK set (RFC 7517); raises ``ValueError`` if it is not one."""
    import jwt

    try:
        return {
            entry["kid"]: jwt.PyJWK(entry, algorithm=ALGORITHM).key
            for entry in json.loads(document)["keys"]
            if entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig"
        }
    except (KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise ValueError("not a set of keys") from error
