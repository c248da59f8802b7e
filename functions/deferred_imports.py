"""Keeps an import of a library from importing and compiling what the functions never use.

botocore imports its generator of documentation, waiters, the readers of configuration files and
more at its start: a third of the CPU time of a cold start. Inside :func:`deferred` such a module is
replaced by a placeholder in ``sys.modules``. The placeholder imports the real module when one of
its attributes is first used, so nothing is missing; it is only imported later, or never.

The libraries also compile dozens of regular expressions at their import, and a request uses few.
Inside :func:`deferred` a regular expression is compiled when it is first used.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

#: The names of a deferred module that an importer binds or calls. A mapping has what it gets for
#: them; else it gets functions that import the module when they are called.
Names = Collection[str] | Mapping[str, Callable[..., Any]]


@contextmanager
def deferred(modules: Mapping[str, Names]) -> Iterator[None]:
    """Defer the import of ``modules`` by statements that run in this block for the first time.

    Each module has the names of the functions and classes that are bound at import, such as by
    ``from module import name``. So a class in the list must not be subclassed or tested with
    ``isinstance`` by the importer. Any other name imports the module at once. After the block, an
    import finds the real module.

    ``re.compile`` in this block returns patterns that are compiled later, so an invalid one raises
    its error at its first use.
    """
    placeholders = {
        name: _Placeholder(name, names)
        for name, names in modules.items()
        if name not in sys.modules
    }
    sys.modules.update(placeholders)
    re.compile = _compile_later
    try:
        yield
    finally:
        re.compile = _compile
        for placeholder in placeholders.values():
            placeholder.leave()


def late_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """As ``re.compile``, for a pattern that few requests use: it is compiled at its first use."""
    late: Any = _LatePattern(pattern, flags)
    found: re.Pattern[str] = late
    return found


class _Placeholder(ModuleType):
    def __init__(self, name: str, names: Names) -> None:
        super().__init__(name)
        self._names = names

    def leave(self) -> None:
        """Remove the placeholder, so that the real module is used."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            given = self._names[name] if isinstance(self._names, Mapping) else None
            return given or self._called_later(name)
        if name.startswith("__"):
            # What the import system looks for, such as `__path__`.
            raise AttributeError(name)
        return getattr(self._real(), name)

    def _real(self) -> ModuleType:
        self.leave()
        return import_module(self.__name__)

    def _called_later(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            return getattr(self._real(), name)(*arguments, **named)

        call.__name__ = name
        return call


_compile = re.compile


def _compile_later(pattern: Any, flags: int = 0) -> Any:
    return _LatePattern(pattern, flags)


class _LatePattern:
    """A regular expression that is compiled when one of its attributes is first read.

    Its methods are then those of the compiled pattern, so later uses cost what they always do.
    """

    #: The functions of ``re`` take it for a compiled pattern, which they look at with `isinstance`.
    __class__: Any = property(lambda _: re.Pattern)

    def __init__(self, pattern: Any, flags: int) -> None:
        self._arguments = pattern, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        # Each method is looked up once, and `re` keeps the pattern in between.
        value = getattr(_compile(*self._arguments), name)
        setattr(self, name, value)
        return value

    def __reduce__(self) -> Any:
        """A copy is a compiled pattern."""
        return _compile, self._arguments
