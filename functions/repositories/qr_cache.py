"""The cache bucket of rendered QR images. Its object keys are registered on the links."""

from __future__ import annotations

from functions.aws.s3 import Bucket


class Images(Bucket):
    """Objects of the bucket by their keys, ``qr/{workspaceId}/{linkId}/{variant}``.

    An image may be missing: the bucket's lifecycle rule removes old ones.
    """
