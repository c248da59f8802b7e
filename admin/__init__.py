"""The operators' command: workspaces, plans, policies, members and keys. `python -m admin`."""
