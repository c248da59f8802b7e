"""The OpenAPI 3.1 document, made from the code when the functions are packaged.

``python -m functions.api.openapi FILE`` writes it. Packaging puts it into the archive, where the
``pages`` function serves it; no function imports this package.

- Method, path, scope, error format, summary and description come from the route's registration
  and the endpoint's docstring.
- Responses come from the endpoint's return type, request bodies from the models in ``schemas``.
- Errors come from ``domain/errors.py``.
- What else a caller needs to know is in :mod:`functions.api.openapi.operations`, one entry per
  route.
- Events come from the types that the functions build them with.
"""
