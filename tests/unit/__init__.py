"""Tests of rules and handlers that need no emulator."""
