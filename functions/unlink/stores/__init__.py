"""One module per table, bucket and queue: the only code that speaks to AWS (imports botocore)."""
