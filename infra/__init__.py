"""The AWS stack of Unlink: one construct per concern, put together in `infra.stack`."""
