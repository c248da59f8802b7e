"""All that is deployed into Lambda."""

import gc

# Almost every object that an import creates stays. Python's default of 700 (2,000 in 3.13) makes
# the collector look at all of them dozens of times during a cold start: 7 to 10 % of its CPU time.
# No function creates this many objects at its start.
gc.set_threshold(100_000)
