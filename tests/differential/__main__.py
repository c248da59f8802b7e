"""`make differential`: a line for each shape of call, `same` or `different`.

The endpoint is AWS_ENDPOINT_URL_DYNAMODB, or AWS with the credentials of the environment. It
creates and deletes a table; on AWS this costs less than a cent.
"""

from __future__ import annotations

import os
import sys

import boto3

from tests.differential.checks import KNOWN, results
from tests.differential.table import throw_away_table


def main() -> int:
    """The exit code: 1 when a shape differs that is not known to."""
    client = boto3.client("dynamodb")
    print(f"endpoint: {os.environ.get('AWS_ENDPOINT_URL_DYNAMODB', client.meta.endpoint_url)}")
    new = 0
    with throw_away_table(client) as name:
        for shape, difference in results(client, name):
            if difference is None:
                print(f"same       {shape}")
                continue
            known = shape in KNOWN
            new += not known
            print(f"different  {shape}: {difference}{f' (known: {KNOWN[shape]})' if known else ''}")
    print(f"{new} unknown differences")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
