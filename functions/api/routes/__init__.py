"""The API's routes, one module for each group of them. A handler registers its groups."""
