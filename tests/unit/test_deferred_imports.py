"""Deferring changes when a module is imported and a pattern compiled, and nothing else."""

from __future__ import annotations

import copy
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.deferred_imports import deferred, late_pattern


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A library of two modules; ``deferred_library`` imports ``deferred_part`` at its start."""
    (tmp_path / "deferred_part.py").write_text(
        "NUMBER = 7\ndef double(value, *, plus=0):\n    return 2 * value + plus\n"
    )
    (tmp_path / "deferred_library.py").write_text(
        "import deferred_part\nfrom deferred_part import double\n"
        "def number():\n    return deferred_part.NUMBER\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("deferred_part", "deferred_library"):
        sys.modules.pop(name, None)


def test_a_module_is_imported_when_a_function_of_it_is_called() -> None:
    with deferred({"deferred_part": ("double",)}):
        library = importlib.import_module("deferred_library")
    assert "deferred_part" not in sys.modules

    assert library.double(3, plus=1) == 7
    assert sys.modules["deferred_part"].NUMBER == 7


def test_a_module_is_imported_when_an_attribute_of_it_is_read() -> None:
    with deferred({"deferred_part": ("double",)}):
        library = importlib.import_module("deferred_library")

    assert library.number() == 7
    assert "deferred_part" in sys.modules


def test_a_name_that_is_not_listed_is_imported_at_once() -> None:
    with deferred({"deferred_part": ()}):
        library = importlib.import_module("deferred_library")
        assert "deferred_part" in sys.modules

    assert library.double is sys.modules["deferred_part"].double


def test_a_name_can_have_a_stand_in() -> None:
    with deferred({"deferred_part": {"double": str}}):
        library = importlib.import_module("deferred_library")

    assert library.double(3) == "3"
    assert "deferred_part" not in sys.modules
    assert library.number() == 7


def test_a_late_pattern_is_compiled_at_its_first_use() -> None:
    pattern = late_pattern("[A-Z]+", re.IGNORECASE)
    assert not vars(pattern).keys() & {"fullmatch", "sub"}

    assert pattern.fullmatch("abc")
    assert pattern.sub("-", "a1b") == "-1-"
    assert (pattern.pattern, pattern.flags) == ("[A-Z]+", re.compile("[A-Z]+", re.IGNORECASE).flags)


def test_a_missing_name_fails_as_it_does_without_deferring() -> None:
    with (
        deferred({"deferred_part": ("double",)}),
        pytest.raises(ImportError, match="cannot import name 'nothing'"),
    ):
        exec("from deferred_part import nothing")


def test_a_module_that_is_there_already_stays() -> None:
    real = importlib.import_module("deferred_part")
    with deferred({"deferred_part": ("double",)}):
        library = importlib.import_module("deferred_library")

    assert sys.modules["deferred_part"] is real
    assert library.double is real.double


def test_after_an_error_in_the_block_the_real_module_is_imported() -> None:
    with pytest.raises(ZeroDivisionError), deferred({"deferred_part": ()}):
        raise ZeroDivisionError

    assert importlib.import_module("deferred_part").NUMBER == 7


def test_a_pattern_is_compiled_when_it_is_used() -> None:
    with deferred({}):
        broken = re.compile("(")
        good = re.compile(r"(?P<word>[a-z]+)", re.IGNORECASE)

    with pytest.raises(re.error):
        broken.match("text")
    assert good.fullmatch("Word")["word"] == "Word"  # type: ignore[index]


@pytest.mark.parametrize(
    ("expression", "flags", "text"),
    [(r"(?P<word>[a-z]+)", re.IGNORECASE, "One two"), (rb"\s+", 0, b"One two"), ("", 0, "")],
)
def test_a_pattern_is_that_of_re(expression: Any, flags: int, text: Any) -> None:
    with deferred({}):
        late = re.compile(expression, flags)
    real = re.compile(expression, flags)

    assert isinstance(late, re.Pattern)
    names = [name for name in dir(real) if not name.startswith("_")]
    assert [callable(getattr(late, name)) for name in names] == [
        callable(getattr(real, name)) for name in names
    ]
    for name in ("pattern", "flags", "groups", "groupindex"):
        assert getattr(late, name) == getattr(real, name)
    assert late.sub(text, text) == real.sub(text, text)
    assert late.split(text) == real.split(text)
    # The functions of `re` take it, as they take a compiled one.
    assert re.findall(late, text) == re.findall(real, text)
    assert re.compile(late).findall(text) == real.findall(text)
    assert copy.deepcopy(late).findall(text) == real.findall(text)


def test_outside_of_the_block_patterns_are_compiled_at_once() -> None:
    with pytest.raises(ZeroDivisionError), deferred({}):
        raise ZeroDivisionError

    with pytest.raises(re.error):
        re.compile("(")
