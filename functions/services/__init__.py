"""Services: the use cases. They take repositories as arguments and know no HTTP."""
