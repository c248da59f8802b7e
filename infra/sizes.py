"""Sizes that the stack and the benchmarks share, in a module that does not load the CDK."""

#: From this size on Lambda gives a function one whole vCPU
#: (Lambda Developer Guide, "Configure Lambda function memory").
ONE_VCPU_MB = 1_769

#: For functions that make a few calls: the fastest size that costs at most a tenth more than the
#: cheapest (docs/decisions/074-memory-sizes.md, for all sizes).
FEW_CALLS_MB = 1_024

#: For functions of few calls that no caller waits for. The erase worker waits for DynamoDB most of
#: its time.
BACKGROUND_MB = 512

#: Seconds that production collects clicks before they are counted: counting many clicks of a link
#: costs little more than counting one (docs/decisions/150-how-a-click-is-counted-once.md).
CLICK_WINDOW = 10
