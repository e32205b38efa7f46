"""What an image must be like before anything is done with it: platforms, size, age."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cd_provider.core.image import ImageFacts, PlatformFacts
from cd_provider.core.manifest import platform_name
from cd_provider.core.units import seconds, size_bytes
from cd_provider.exceptions import ArgumentError

_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_-]+(/[a-z0-9]+)?")
_AHEAD_S = 3600.0  # clocks of build machines may differ by so much; beyond it, a time is not believed
_LAST_S = 253402300799.0  # 9999-12-31 23:59:59 UTC


@dataclass(frozen=True)
class ImagePolicy:
    """
    The rules that a caller set; what is None is not asked.

    :param platforms: each must be there; with none named, all that the image has are looked at.
    :param max_size_bytes: compressed, for the largest platform that is looked at; the bound itself passes.
    :param max_age_s: since the builder's own time stamp, for the oldest platform that is looked at.
    """

    platforms: tuple[str, ...] = ()
    max_size_bytes: int | None = None
    max_age_s: float | None = None

    @classmethod
    def parse(cls, *, platforms: Any = None, max_size: Any = None, max_age: Any = None) -> ImagePolicy:
        """
        Read the rules as people write them.

        :param platforms: a list such as ``["linux/amd64"]``, or one text with commas.
        :param max_size: bytes, or a text such as ``"2G"``.
        :param max_age: seconds, or a text such as ``"90d"``.
        :raises ArgumentError: a value has another form, or a bound is 0: no image could pass.
        """
        size = None if max_size in (None, "") else size_bytes(max_size, name="max_size")
        age = None if max_age in (None, "") else seconds(max_age, name="max_age")
        for name, bound in (("max_size", size), ("max_age", age)):
            if bound == 0:
                raise ArgumentError(
                    f"{name}: saw 0, which no image can keep; leave it out to ask for nothing."
                )
        return cls(_platforms(platforms), size, age)

    def looked_at(self, facts: ImageFacts) -> tuple[PlatformFacts, ...]:
        """Give the platforms of the image that the rules are about."""
        return tuple(one for one in facts.platforms if not self.platforms or one.platform in self.platforms)

    def faults(self, facts: ImageFacts, *, now: float) -> list[str]:
        """
        Name every rule that the image breaks; none when it may go on.

        :param now: epoch seconds.
        """
        there = sorted({one.platform for one in facts.platforms})
        found = [
            f"platform {wanted} is missing, it has {', '.join(there) or 'none'}"
            for wanted in self.platforms
            if wanted not in there
        ]
        for one in self.looked_at(facts):
            found += [*self._too_big(one), *self._too_old(one, now)]
        return found

    def _too_big(self, one: PlatformFacts) -> list[str]:
        if self.max_size_bytes is None or one.size_bytes <= self.max_size_bytes:
            return []
        return [f"{one.platform} has {one.size_bytes} bytes, at most {self.max_size_bytes} are allowed"]

    def _too_old(self, one: PlatformFacts, now: float) -> list[str]:
        if self.max_age_s is None:
            return []
        built = created_at(one.created)
        if built is None or built > now + _AHEAD_S:
            seen = f"created {repr(one.created) if built is None else _told(built)}, now {_told(now)}"
            return [f"{one.platform} does not say when it was built ({seen}), so its age is unknown"]
        if now - built <= self.max_age_s:
            return []
        age, allowed = (now - built) / 86400, self.max_age_s / 86400
        return [
            f"{one.platform} is {age:.2f} days old (built {_told(built)}), at most {allowed:.2f} are allowed"
        ]


def created_at(text: str | None) -> float | None:
    """
    Read an RFC 3339 time as epoch seconds.

    :returns: None when it is none, not after the epoch (builders write that for "no time"), or in UTC's year 10000.
    """
    try:
        built = datetime.fromisoformat((text or "").strip())
        at = (built if built.tzinfo else built.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return at if 0 < at <= _LAST_S else None


def built_text(created: str | None) -> str:
    """Give a builder's time stamp as people read it, to the second, in UTC."""
    at = created_at(created)
    return "at an unknown time" if at is None else _told(at)


def _told(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _platforms(value: Any) -> tuple[str, ...]:
    given = value.split(",") if isinstance(value, str) else [] if value is None else value
    if not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
        raise ArgumentError(f"platforms: saw {value!r}, expected a list such as ['linux/amd64'].")
    names = [platform_name(one) for one in given if one.strip()]
    for one, name in zip([one for one in given if one.strip()], names, strict=True):
        if not _PLATFORM.fullmatch(name):
            raise ArgumentError(f"platforms: saw {one!r}, expected os/architecture such as 'linux/amd64'.")
    return tuple(dict.fromkeys(names))
