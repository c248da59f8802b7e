"""AWS clients, calls, retries and encodings."""
