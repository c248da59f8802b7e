"""What operators do: workspaces, plans, policies, members and keys. `python -m admin`."""
