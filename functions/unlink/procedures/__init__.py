"""The use cases: functions that take their stores as arguments and know nothing of HTTP."""
