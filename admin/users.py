"""The users of the Cognito user pool, for memberships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """`id` is the `sub` of the user's tokens: it never changes, unlike an address."""

    id: str
    email: str | None


class Users:
    """Finds and invites users. `client` is a boto3 client of `cognito-idp`."""

    def __init__(self, client: Any, user_pool_id: str) -> None:
        self._client = client
        self._pool = user_pool_id

    def find(self, user: str) -> User | None:
        """By e-mail address or id; None if the pool has no such user."""
        try:
            response = self._client.admin_get_user(UserPoolId=self._pool, Username=user)
        except self._client.exceptions.UserNotFoundException:
            return None
        return _user(response["UserAttributes"])

    def invite(self, email: str) -> User | None:
        """The user of this address, created if missing; Cognito then sends an invitation."""
        if (known := self.find(email)) is not None:
            return known
        response = self._client.admin_create_user(
            UserPoolId=self._pool,
            Username=email,
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
            DesiredDeliveryMediums=["EMAIL"],
        )
        return _user(response["User"]["Attributes"])


def _user(attributes: list[dict[str, str]]) -> User:
    values = {attribute["Name"]: attribute["Value"] for attribute in attributes}
    return User(values["sub"], values.get("email"))
