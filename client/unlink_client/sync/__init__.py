# Generated from unlink_client/aio by generate_sync.py: change that.

"""The client that waits for each response."""
