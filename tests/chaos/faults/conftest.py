"""An emulator with faults, a table and a queue, and calls in the form of a function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.emulator import ACCOUNT, REGION, Emulator
from tests.chaos.faults import EXTENSION, FaultRates, Faults

Start = Callable[..., Faults]

_numbers = itertools.count()


@pytest.fixture(scope="session")
def faulty_emulator() -> Iterator[Emulator]:
    """An emulator that was started with the faults; none happens before `start`."""
    with Emulator(extension=EXTENSION, log_name="test-faults") as emulator:
        yield emulator


@pytest.fixture
def start(faulty_emulator: Emulator) -> Iterator[Start]:
    """Starts only the faults whose rates are given; they end with the test.

    The counts begin at zero for each start.
    """
    started: list[Faults] = []

    def begin(*, seed: int = 1, **rates: float) -> Faults:
        faults = Faults(seed, FaultRates.only(**rates))
        faults.attach(faulty_emulator)
        faults.start()
        started.append(faults)
        return faults

    yield begin
    for faults in started:
        faults.pause()


@pytest.fixture
def calls(faulty_emulator: Emulator) -> Callable[[str], Any]:
    """A client of a service whose calls look like those of a function."""

    def client(service: str, read_timeout: float = 20) -> Any:
        made: Any = boto3.Session(
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
            aws_session_token="worker-test",
            region_name=REGION,
        ).client
        return made(
            service,
            endpoint_url=faulty_emulator.url,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        )

    return client


@pytest.fixture
def table(faulty_emulator: Emulator) -> str:
    """A new table with the string key `pk`."""
    name = f"faults-{next(_numbers)}"
    faulty_emulator.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return name


@pytest.fixture
def queue_url(faulty_emulator: Emulator) -> str:
    """A new queue."""
    made = faulty_emulator.client("sqs").create_queue(QueueName=f"faults-{next(_numbers)}")
    return str(made["QueueUrl"])
