"""The schedule, run more often than each minute, and the wait for all accepted work."""

from __future__ import annotations

import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.stack import LocalStack
from tests.chaos.tables import UUID_LENGTH, scan

#: Seconds between two runs of everything that EventBridge would start each minute.
SCHEDULE_SECONDS = 3.0
_SETTLE_POLL = 1.0
#: How many checks in a row must find nothing left.
_QUIET_LOOKS = 3


class Schedule(threading.Thread):
    """Invokes the targets of the stack's schedules, again and again."""

    def __init__(self, stack: LocalStack) -> None:
        super().__init__(name="schedule", daemon=True)
        self._stack = stack
        self._ended = threading.Event()
        events = stack.client("events")
        self._targets = [
            target["Arn"]
            for rule in events.list_rules()["Rules"]
            if rule.get("ScheduleExpression")
            for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        ]

    def run(self) -> None:
        """Until :meth:`end`; a run that is killed is made up for by the next one."""
        functions = self._stack.client("lambda")
        while not self._ended.wait(SCHEDULE_SECONDS):
            for target in self._targets:
                try:
                    functions.invoke(FunctionName=target, Payload=b"{}")
                except (BotoCoreError, ClientError):
                    continue

    def end(self) -> None:
        """Stop after the current run."""
        self._ended.set()
        self.join()


def shorten_queues(stack: LocalStack, *, erase_delay: int | None = None) -> None:
    """Deliver a killed worker's message after seconds, not half an hour, and without limit.

    ``erase_delay`` replaces the erase queue's delay, for runs whose writers end sooner than the
    longest timeout of a function.
    """
    sqs = stack.client("sqs")
    for url in _queues(stack):
        attributes = {"VisibilityTimeout": "20", "RedrivePolicy": ""}
        if erase_delay is not None and "Erase" in url:
            attributes["DelaySeconds"] = str(erase_delay)
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


def settle(stack: LocalStack, workspaces: set[str], *, seconds: float) -> bool:
    """Wait until no record, message or click waits for a worker; False after ``seconds``.

    Records and clicks of other workspaces do not count: an earlier run may have left them.
    """
    until = time.monotonic() + seconds
    quiet = 0
    while time.monotonic() < until:
        quiet = quiet + 1 if not waiting(stack, workspaces) else 0
        if quiet >= _QUIET_LOOKS:
            return True
        time.sleep(_SETTLE_POLL)
    return False


def waiting(stack: LocalStack, workspaces: set[str]) -> list[str]:
    """A short description of what still waits."""
    left = [
        f"{item['openPk']['S']} {item['pk']['S']} {item['sk']['S']}"
        for item in scan(stack, "DeletionsTableName", IndexName="open")
        if item["pk"]["S"].partition("#")[0] in workspaces
    ]
    sqs = stack.client("sqs")
    for url in _queues(stack):
        counts: dict[str, Any] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        messages = sum(int(n) for name, n in counts.items() if name.startswith("ApproximateNumber"))
        if messages:
            left.append(f"{messages} messages in {url.rpartition('/')[2]}")
    return left or _uncounted(stack, workspaces)


def _uncounted(stack: LocalStack, workspaces: set[str]) -> list[str]:
    """Links whose clicks are not counted yet."""
    clicks: dict[str, int] = {}
    for item in scan(stack, "ClicksTableName"):
        if item["sk"]["S"].startswith("CLICK#") and not item["isBot"]["BOOL"]:
            link_id = item["pk"]["S"][:UUID_LENGTH]
            clicks[link_id] = clicks.get(link_id, 0) + 1
    counted = {
        item["pk"]["S"].rpartition("#")[2]: int(item.get("clickCount", {"N": "0"})["N"])
        for item in scan(stack, "LinksTableName")
        if item["sk"]["S"] == "LINK" and item["pk"]["S"].partition("#")[0] in workspaces
    }
    return [f"clicks of {each}" for each in counted if counted[each] != clicks.get(each, 0)]


def _queues(stack: LocalStack) -> list[str]:
    """The queues that functions process, without those of dead letters."""
    urls = stack.client("sqs").list_queues().get("QueueUrls", [])
    return [url for url in urls if "DeadLetters" not in url]
