"""The asynchronous client. ``unlink_client.sync`` is generated from this package."""
