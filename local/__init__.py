"""The whole service on one machine: engine, deployed stack, HTTP bridge and demo data."""
