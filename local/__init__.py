"""The whole service on one machine: emulator, deployed stack, HTTP proxy and demo data."""
