"""Deliveries of queues and streams to functions: duplicates, another order, and repeats."""

from __future__ import annotations

import time
from typing import Any

from ministack.services import lambda_svc, sqs

from .decisions import Decisions


class Deliveries:
    """Standard queues deliver at least once and in no order; streams repeat batches."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._receive = sqs._receive_messages_for_esm
        self._delete = sqs._delete_messages_for_esm
        self._execute = lambda_svc._execute_function
        sqs._receive_messages_for_esm = self.receive
        sqs._delete_messages_for_esm = self.delete
        lambda_svc._execute_function = self.execute

    def receive(self, queue_url: str, maximum: int) -> list[Any]:
        """A batch for a function."""
        if not self._decisions.active:
            return list(self._receive(queue_url, maximum))
        with sqs._queues_lock:
            messages = sqs._get_q(queue_url)["messages"]
            due = [each for each in messages if each["visible_at"] <= time.time()]
            if len(due) > 1:
                fault, dice = self._decisions.draw(
                    "queue order", reorder=self._decisions.rates.reorder
                )
                if fault:
                    dice.shuffle(messages)
                    self._decisions.count("reorders")
        batch = list(self._receive(queue_url, maximum))
        for message in batch:
            self._maybe_duplicate(queue_url, message)
        return batch

    def _maybe_duplicate(self, queue_url: str, message: Any) -> None:
        rates = self._decisions.rates
        fault, dice = self._decisions.draw("message", duplicate=rates.duplicate)
        if fault:
            again = {
                **message,
                "receipt_handle": None,
                "visible_at": time.time() + dice.uniform(0, rates.again_seconds),
                # A duplicate alone must not make a message a dead letter.
                "receive_count": message["receive_count"] - 1,
            }
            with sqs._queues_lock:
                sqs._get_q(queue_url)["messages"].append(again)
            self._decisions.count("duplicates")

    def delete(self, queue_url: str, receipts: set[str]) -> None:
        """What the poller does after a function has processed its messages."""
        rates = self._decisions.rates
        kept: dict[str, float] = {}
        for receipt in receipts:
            fault, dice = self._decisions.draw("processed message", redeliver=rates.redeliver)
            if fault:
                kept[receipt] = dice.uniform(0, rates.again_seconds)
                self._decisions.count("redeliveries")
        if kept:
            with sqs._queues_lock:
                for message in sqs._get_q(queue_url)["messages"]:
                    if message["receipt_handle"] in kept:
                        message["visible_at"] = time.time() + kept[message["receipt_handle"]]
        self._delete(queue_url, receipts - kept.keys())

    def execute(self, function: Any, event: Any) -> Any:
        """Invoke a function; a batch of a stream may come twice."""
        config = function.get("config") or function
        if (
            not _from_stream(event)
            # MiniStack then calls this again in the function's own region.
            or lambda_svc._function_config_scope_mismatch(config)
        ):
            return self._execute(function, event)
        fault, _ = self._decisions.draw("stream batch", repeat=self._decisions.rates.repeat)
        result = self._execute(function, event)
        if fault and not result.get("error"):
            self._decisions.count("stream repeats")
            return self._execute(function, event)
        return result


def _from_stream(event: Any) -> bool:
    records = event.get("Records") if isinstance(event, dict) else None
    return bool(
        isinstance(records, list)
        and records
        and isinstance(records[0], dict)
        and records[0].get("eventSource") == "aws:dynamodb"
    )
