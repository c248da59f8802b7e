"""Rules and values that need no I/O."""
