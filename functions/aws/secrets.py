"""Secrets Manager: the keys of signed cursors and tokens, and of the hashes of visitors."""

from __future__ import annotations

from functools import cache

from functions.aws.calls import call
from functions.aws.client import client
from functions.domain.clock import deadline


@cache
def secret(arn: str) -> bytes:
    """The secret's value, read once per process, on first use."""
    with deadline(5):
        response = call(client("secretsmanager").get_secret_value, SecretId=arn)
    return bytes(response["SecretString"].encode())
