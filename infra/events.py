"""The event bus for completed deletions and restores."""

from aws_cdk import aws_events as events
from constructs import Construct

from infra.settings import Settings


class Events(Construct):
    """`bus`: a separate bus, so that its rules see only these events."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.bus = events.EventBus(self, "Bus", event_bus_name=f"unlink-{settings.stage}")
