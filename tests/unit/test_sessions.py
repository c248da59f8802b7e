"""Session tokens: valid and forged ones, and the cache of the pool's keys."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from functions.services import sessions
from functions.services.sessions import InvalidSession, KeysUnavailable, SigningKeys
from tests.support import tokens
from tests.support.tokens import CLIENT_ID, ISSUER, KeyServer


def verify(token: str, keys: SigningKeys | None = None) -> sessions.Session:
    keys = keys or SigningKeys(ISSUER, fetch=KeyServer())
    return sessions.verify(token, issuer=ISSUER, client_ids={CLIENT_ID}, keys=keys)


def test_an_access_token_gives_its_user_and_expiry() -> None:
    end = int(time.time()) + 60
    assert verify(tokens.token(exp=end)) == sessions.Session("user-1", end)


FORGED: dict[str, Callable[[], str]] = {
    "expired": lambda: tokens.token(exp=int(time.time()) - 1),
    "not yet valid": lambda: tokens.token(nbf=int(time.time()) + 600),
    "alg none": tokens.unsigned,
    "HS256 with the public key": tokens.signed_with_public_key,
    "wrong issuer": lambda: tokens.token(iss=ISSUER + "x"),
    "wrong client": lambda: tokens.token(client_id="client-2"),
    "an id token": lambda: tokens.token(token_use="id", aud=CLIENT_ID),
    "unknown key": lambda: tokens.token(key="key-2"),
    "another's signature": lambda: tokens.token(key="key-2", kid="key-1"),
    "without expiry": lambda: tokens.token(exp=None),
    "without client": lambda: tokens.token(client_id=None),
    "without user": lambda: tokens.token(sub=None),
    "changed payload": lambda: _with_payload_of(tokens.token(), tokens.token(sub="user-2")),
    "no token at all": lambda: "ey.ey.ey",
}


def _with_payload_of(token: str, other: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{other.split('.')[1]}.{signature}"


@pytest.mark.parametrize("forgery", sorted(FORGED))
def test_anything_else_is_refused(forgery: str) -> None:
    with pytest.raises(InvalidSession):
        verify(FORGED[forgery]())


def test_keys_are_fetched_once_and_from_the_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    server = KeyServer()
    keys = SigningKeys(ISSUER, fetch=server)
    for _ in range(3):
        verify(tokens.token(), keys)
    assert server.addresses == [ISSUER + "/.well-known/jwks.json"]


def test_a_local_endpoint_serves_the_pools_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    server = KeyServer()
    verify(tokens.token(), SigningKeys(ISSUER, fetch=server))
    assert server.addresses == ["http://127.0.0.1:4566/us-east-1_Test/.well-known/jwks.json"]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_new_key_of_the_pool_is_found_without_a_restart() -> None:
    server, clock = KeyServer(), Clock()
    keys = SigningKeys(ISSUER, fetch=server, now=clock)
    verify(tokens.token(), keys)
    server.names = ("key-1", "key-2")
    clock.now += sessions.KEYS_REST
    verify(tokens.token(key="key-2"), keys)
    assert server.asked == 2


def test_unknown_key_ids_do_not_fetch_the_keys_each_time() -> None:
    server, clock = KeyServer(), Clock()
    keys = SigningKeys(ISSUER, fetch=server, now=clock)
    for _ in range(20):
        with pytest.raises(InvalidSession):
            verify(tokens.token(key="key-2"), keys)
        clock.now += 0.1
    assert server.asked == 1


def test_a_withdrawn_pool_key_is_dropped_within_an_hour() -> None:
    server, clock = KeyServer(), Clock()
    keys = SigningKeys(ISSUER, fetch=server, now=clock)
    verify(tokens.token(), keys)
    server.names = ("key-2",)
    clock.now += sessions.KEYS_LAST + 1
    with pytest.raises(InvalidSession):
        verify(tokens.token(), keys)


def test_known_pool_keys_stay_valid_during_an_outage() -> None:
    server, clock = KeyServer(), Clock()
    keys = SigningKeys(ISSUER, fetch=server, now=clock)
    verify(tokens.token(), keys)
    server.down = True
    clock.now += sessions.KEYS_LAST + 1
    assert verify(tokens.token(), keys).user_id == "user-1"


def test_without_pool_keys_a_token_raises() -> None:
    """The gateway would cache a refusal; it does not cache an error."""
    server = KeyServer(down=True)
    keys = SigningKeys(ISSUER, fetch=server)
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            verify(tokens.token(), keys)
    server.down = False
    assert verify(tokens.token(), keys).user_id == "user-1"


@pytest.mark.parametrize("response", [b"", b"[]", b"{}", b'{"keys":[{"kty":"RSA"}]}'])
def test_an_invalid_key_set_counts_as_an_outage(response: bytes) -> None:
    with pytest.raises(KeysUnavailable):
        verify(tokens.token(), SigningKeys(ISSUER, fetch=lambda _: response))
