"""Repositories: one module per kind of item kept."""
