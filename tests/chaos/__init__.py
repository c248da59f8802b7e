"""Chaos on the deployed local stack: load under faults, then a checker of every promise."""
