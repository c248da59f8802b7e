"""botocore's service models, parsed once per process.

Every client of a function has its own session, which parses the model of its service and the list
of endpoints again: a tenth of a second of CPU. A test run makes thousands. Clients of one session
share these objects too, so botocore does not change them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.loaders import JSONFileLoader, create_loader


@pytest.fixture(scope="session", autouse=True)
def _models_are_parsed_once() -> Any:
    # Methods of botocore that its type stubs leave out.
    loader: Any = JSONFileLoader
    session: Any = botocore.session
    with pytest.MonkeyPatch.context() as patch:
        read = JSONFileLoader()
        patch.setattr(loader, "load_file", staticmethod(cache(read.load_file)))
        patch.setattr(session, "create_loader", cache(create_loader))
        yield
