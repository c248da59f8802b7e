"""A policy of a workspace is the same everywhere: in the code, the command, the response."""

from __future__ import annotations

import argparse
import time

import pytest

from admin.policy_arguments import add_policies
from functions.domain.clock import iso
from functions.domain.policies import NAMES, Policies
from functions.schemas.account_responses import WorkspacePolicies


def test_every_policy_has_an_option_of_the_command() -> None:
    parser = argparse.ArgumentParser()
    add_policies(parser)
    options = {action.dest for action in parser._actions} - {"help"}
    assert options == set(Policies._fields)


def test_the_response_names_every_policy() -> None:
    assert set(WorkspacePolicies.__annotations__) == set(NAMES.values())
    assert Policies().full().keys() == set(NAMES.values())


#: A value of each policy that is not its default.
OTHER = Policies(
    retention_days=1,
    purge_expired_after_days=2,
    quarantine_days=3,
    code_reservation_days=4,
    cascade_installs=True,
    link_events=True,
    app_schemes=("myapp", "com.example.app+x"),
    click_retention_days=5,
    undo_minutes=6,
)


@pytest.mark.parametrize(
    "policies", [Policies(), OTHER, Policies(retention_days=None, click_retention_days=None)]
)
def test_what_is_stored_is_read_again(policies: Policies) -> None:
    stored = policies.stored()
    assert Policies.read(stored) == policies
    # The context of an authorizer holds text only.
    assert Policies.read({name: str(value) for name, value in stored.items()}) == policies
    assert policies.full()["appSchemes"] == list(policies.app_schemes)


def test_defaults_are_not_stored() -> None:
    assert Policies().stored() == {}


def test_the_record_of_a_deletion_has_the_policies_of_deletions_only() -> None:
    of_links = Policies(app_schemes=("myapp",), click_retention_days=15)
    assert of_links.record() == {}


def test_every_policy_is_stored_and_read() -> None:
    """A policy that `read` leaves out would always have its default."""
    for name in NAMES:
        assert getattr(OTHER, name) != getattr(Policies(), name), f"give {name} a value in OTHER"


def test_a_purge_has_a_ttl_that_dynamodb_follows() -> None:
    """DynamoDB does not remove an item whose TTL is more than five years in the past."""
    now, policies = time.time(), Policies(purge_expired_after_days=7)

    def ttl_of(expiry: float) -> int:
        ttl = policies.of_a_purge(iso(expiry))["ttl"]
        assert isinstance(ttl, int)
        return ttl

    assert ttl_of(now - 86_400) == int(now) + 6 * 86_400
    assert ttl_of(now - 365 * 86_400) == int(now) - 358 * 86_400
    assert now - 5 * 365 * 86_400 < ttl_of(0) < now
