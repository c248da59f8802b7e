"""Secrets Manager: the keys of signed cursors and tokens, and of the hashes of visitors."""

from __future__ import annotations

from functools import cache

from functions.unlink.clock import Deadline
from functions.unlink.stores.client import call, client


@cache
def secret(arn: str) -> bytes:
    """The secret's value, read once per process and only when something must be signed."""
    answer = call(client("secretsmanager").get_secret_value, deadline=Deadline(5), SecretId=arn)
    return bytes(answer["SecretString"].encode())
