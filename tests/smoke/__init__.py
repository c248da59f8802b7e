"""Checks of a deployment on a real AWS account."""
