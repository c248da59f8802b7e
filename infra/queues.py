"""The queues for background work, each with its dead-letter queue."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

#: The timeout of a queue's worker.
WORKER_TIMEOUT = Duration.minutes(5)

#: The timeout of an export's worker: short, because an erasure waits for it. A large export takes
#: many runs.
EXPORT_TIMEOUT = Duration.seconds(60)

#: How often a message is delivered before it becomes a dead letter.
DELIVERIES = 5

#: Seconds that the erase delay exceeds the longest timeout of a writer of clicks, images or
#: exports.
ERASURE_MARGIN = Duration.seconds(30)


class Queues(Construct):
    """`resume` finishes deletions that outlast their request, `erase` removes a link's clicks,
    `export` writes them to a file."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.resume = self._queue("Resume", WORKER_TIMEOUT)
        self.erase = self._queue("Erase", WORKER_TIMEOUT)
        self.export = self._queue("Export", EXPORT_TIMEOUT)

    def delay_erasure(self, *, longest_writer: Duration) -> None:
        """Deliver erasures only when no writer that read the live link can still be running.

        A writer reads the link and writes in one invocation, so all have ended after the longest
        timeout. The margin covers a write in progress at that time.
        """
        delay = longest_writer.plus(ERASURE_MARGIN)
        queue = self.erase.node.default_child
        if not isinstance(queue, sqs.CfnQueue):
            raise TypeError("the erase queue is not a queue of the template")
        queue.delay_seconds = delay.to_seconds()

    def _queue(self, construct_id: str, worker_timeout: Duration) -> sqs.Queue:
        dead_letters = sqs.Queue(
            self,
            f"{construct_id}DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            # The maximum of SQS: time for an operator.
            retention_period=Duration.days(14),
        )
        return sqs.Queue(
            self,
            construct_id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            # As AWS advises (Lambda Developer Guide, "Creating and configuring an Amazon SQS event
            # source mapping").
            visibility_timeout=Duration.seconds(6 * int(worker_timeout.to_seconds())),
            # Shorter than the dead letters' retention, which counts from the first sending.
            retention_period=Duration.days(4),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=DELIVERIES),
        )
