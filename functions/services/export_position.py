"""The position of an export: the parts of the file, the pending lines, and the place to
continue.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self


class Place(NamedTuple):
    """The place to continue reading.

    ``link`` is the index of the link, ``shard`` the partition of its clicks (-1: the link's own
    line), ``after`` the sort key of the last click that was read.
    """

    link: int = 0
    shard: int = -1
    after: str | None = None


BEGINNING = Place()


@dataclass(frozen=True, slots=True)
class Position:
    """The durable position of an export. Everything before ``place`` is in the parts and the tail.

    ``parts`` are runs of consecutive part numbers, first and last. ``reserved`` is the highest part
    number that any worker may have uploaded: each worker reserves a number before it uses it, so a
    worker without the lease cannot replace a part of the file. ``tail`` is the key of the object
    with the lines after the last part. ``done`` means that the file is complete.
    """

    upload_id: str | None = None
    parts: tuple[tuple[int, int], ...] = ()
    reserved: int = 0
    tail: str | None = None
    place: Place = BEGINNING
    lines: int = 0
    done: bool = False

    def with_part(self, number: int) -> Self:
        """With one more part, whose number is higher than all others."""
        parts = list(self.parts)
        if parts and parts[-1][1] == number - 1:
            parts[-1] = (parts[-1][0], number)
        else:
            parts.append((number, number))
        return replace(self, parts=tuple(parts))

    def has_part(self, number: int) -> bool:
        """Whether this part number belongs to the file."""
        return any(first <= number <= last for first, last in self.parts)

    def stored(self) -> dict[str, Any]:
        """The form that is stored in a record."""
        return {
            "upload_id": self.upload_id,
            "parts": [list(each) for each in self.parts],
            "reserved": self.reserved,
            "tail": self.tail,
            **self.place._asdict(),
            "lines": self.lines,
            "done": self.done,
        }

    @classmethod
    def read(cls, stored: dict[str, Any] | None) -> Self:
        """The inverse of :meth:`stored`; None gives the start."""
        if stored is None:
            return cls()
        return cls(
            upload_id=stored["upload_id"],
            parts=tuple((first, last) for first, last in stored["parts"]),
            reserved=stored["reserved"],
            tail=stored["tail"],
            place=Place(stored["link"], stored["shard"], stored["after"]),
            lines=stored["lines"],
            done=stored["done"],
        )
