"""The OpenAPI 3.1 document, made when the functions are packaged. No function imports this."""
