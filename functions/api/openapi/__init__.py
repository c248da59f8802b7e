"""The OpenAPI 3.1 document, made from the code when the functions are packaged.

``python -m functions.api.openapi FILE`` writes it. Packaging puts it into the archive, where the
``pages`` function serves it; no function imports this package.

- Method, path, scope, group and query parameters come from the route's registration.
- The operation's id is the endpoint's name, its summary and description the endpoint's docstring.
- Responses come from the endpoint's return type, request bodies from the models in ``schemas``,
  events from the types that the functions build them with.
- Errors come from ``domain/errors.py``. What raises them, and what else a caller needs to know,
  is in the endpoint's ``@Described``.
- Functions that register no routes are in :mod:`functions.api.openapi.open_operations`.
"""
