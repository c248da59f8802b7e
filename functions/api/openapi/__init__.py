"""The OpenAPI 3.1 document, made from the code when the functions are packaged.

``python -m functions.api.openapi FILE`` writes it. Packaging puts it into the archive, where the
``pages`` function serves it; no function imports this package.

- Method, path, scope, group, error format and query parameters come from the route's registration.
- The operation's id is the endpoint's name, its summary and description the endpoint's docstring.
- Responses come from the endpoint's return type, request bodies from the models in ``schemas``,
  events from the types that the functions build them with.
- Errors come from ``domain/errors.py``.
- What else a caller needs to know is in the tables of :mod:`functions.api.openapi.operations`.
"""
