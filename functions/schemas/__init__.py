"""Request models and response types."""
