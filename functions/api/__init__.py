"""The HTTP edge: routes, requests, errors, rate limit, cursors, the OpenAPI document."""
