"""The event bus for completed deletions and restores, and where its events may be sent."""

from aws_cdk import Duration, SecretValue
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.settings import EventsEndpoint, Settings

#: The header that carries the key of the endpoint.
KEY_HEADER = "X-Api-Key"

#: How long the archive keeps events for replay.
ARCHIVE_DAYS = 30

#: Maximum events a second for the endpoint; the others wait in EventBridge.
ENDPOINT_RATE = 50


class Events(Construct):
    """`bus`: a separate bus, so that its rules see only these events."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.bus = events.EventBus(self, "Bus", event_bus_name=f"unlink-{settings.stage}")
        if settings.events_endpoint is not None:
            self._send_to(settings.events_endpoint)

    def _send_to(self, endpoint: EventsEndpoint) -> None:
        """POST every event to the endpoint, and keep the events that it refuses."""
        pattern = events.EventPattern(source=["unlink"])
        connection = events.Connection(
            self,
            "Connection",
            authorization=events.Authorization.api_key(
                KEY_HEADER, SecretValue.secrets_manager(endpoint.secret)
            ),
        )
        destination = events.ApiDestination(
            self,
            "Endpoint",
            connection=connection,
            endpoint=endpoint.url,
            http_method=events.HttpMethod.POST,
            rate_limit_per_second=ENDPOINT_RATE,
        )
        dead_letters = sqs.Queue(
            self,
            "EventDeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        events.Rule(
            self,
            "ToEndpoint",
            event_bus=self.bus,
            event_pattern=pattern,
            targets=[
                # For 24 hours, which is EventBridge's default.
                targets.ApiDestination(destination, dead_letter_queue=dead_letters)
            ],
        )
        events.Archive(
            self,
            "Archive",
            source_event_bus=self.bus,
            event_pattern=pattern,
            retention=Duration.days(ARCHIVE_DAYS),
        )
