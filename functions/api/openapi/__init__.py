"""The OpenAPI 3.1 document, made from the code when the functions are packaged.

The ``pages`` function serves it. No function imports this package.

- The routes' registration has methods, paths, scopes, groups and query parameters. Names, texts and
  successes are those of the endpoints; ``@Described`` has the errors and the rest.
- ``base.yaml`` has what no code says, and the operations of functions that register no routes.
"""
