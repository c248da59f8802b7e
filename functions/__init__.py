"""All that is deployed into Lambda."""

import gc
from importlib import import_module

from functions.deferred_imports import deferred

# Almost every object that an import creates stays. Python's default of 700 (2,000 in 3.13) makes
# the collector look at all of them dozens of times during a cold start: 7 to 10 % of its CPU time.
# No function creates this many objects at its start.
gc.set_threshold(100_000)

# What every function needs of the standard library, without what these modules import and hardly
# any call uses. They are imported here because other modules would import them with all of it.
with deferred({"inspect": (), "ipaddress": ()}):
    for name in ("dataclasses", "urllib.parse", "uuid"):
        import_module(name)
