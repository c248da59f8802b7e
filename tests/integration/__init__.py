"""Tests against the emulator: tables from the synthesized template, faults, races."""
