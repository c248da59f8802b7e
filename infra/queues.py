"""The queues through which work outlives a request, each with its dead-letter queue."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

#: The longest that one run of a queue's worker may take.
WORKER_TIMEOUT = Duration.minutes(5)

#: Six times the worker's timeout, as AWS advises for queues that feed a Lambda function
#: (Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping").
VISIBILITY_TIMEOUT = Duration.seconds(6 * int(WORKER_TIMEOUT.to_seconds()))


class Queues(Construct):
    """`resume` finishes deletions that outlast their request, `erase` removes a link's clicks."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.resume_dead_letters, self.resume = self._queue("Resume")
        self.erase_dead_letters, self.erase = self._queue("Erase")

    def _queue(self, construct_id: str) -> tuple[sqs.Queue, sqs.Queue]:
        dead_letters = sqs.Queue(
            self,
            f"{construct_id}DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            # As long as SQS allows: time for a human to look.
            retention_period=Duration.days(14),
        )
        queue = sqs.Queue(
            self,
            construct_id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=VISIBILITY_TIMEOUT,
            # Shorter than the dead letters' retention, which counts from the first sending.
            retention_period=Duration.days(4),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
        )
        return dead_letters, queue
