"""Enums that take values which are newer than this version of the package."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Self


class OpenStrEnum(StrEnum):
    """Texts that the contract lists, and any other that a newer server gives.

    ``RunStatus("paused")`` is a ``RunStatus`` that equals ``"paused"`` though no such member is listed. It compares,
    hashes, prints and goes back to the server as that text; ``known`` tells it apart.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unlisted = str.__new__(cls, value)
        unlisted._name_ = unlisted._value_ = str(value)
        return unlisted

    @property
    def known(self) -> bool:
        """Whether this version of the package lists the value."""
        return self._value_ in type(self)._value2member_map_


class OpenIntEnum(IntEnum):
    """The same for whole numbers."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        unlisted = int.__new__(cls, value)
        unlisted._name_, unlisted._value_ = str(int(value)), int(value)
        return unlisted

    @property
    def known(self) -> bool:
        """Whether this version of the package lists the value."""
        return self._value_ in type(self)._value2member_map_

    def __str__(self) -> str:
        return str(self._value_)
