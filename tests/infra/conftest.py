import pytest

from tests.support.template import Template, synthesized_template


@pytest.fixture(scope="session")
def template() -> Template:
    """The production template."""
    return synthesized_template("prod")
