"""A person's word in place of a verdict that cannot be had."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cd_provider.core.release import check_keys, json_object
from cd_provider.exceptions import ArgumentError

KEYS = ("by", "reason")


@dataclass(frozen=True)
class Override:
    """Who says that a candidate may be promoted although it cannot be judged, and why."""

    by: str
    reason: str

    @classmethod
    def parse(cls, value: Any) -> Override | None:
        """
        Read ``{"by": …, "reason": …}``, also as JSON text; None, and two empty texts (params left as they are): none.

        :raises ArgumentError: another key, or one of the two without the other: nobody's word, or one without a reason.
        """
        value = json_object(value)
        if value in (None, "", {}):
            return None
        given = check_keys(value, name="override", needed=(), known=KEYS)
        texts = {key: str(given.get(key) or "").strip() for key in KEYS}
        if not any(texts.values()):
            return None
        if missing := [key for key, text in texts.items() if not text]:
            raise ArgumentError(
                f"override: {missing[0]} is missing, expected who says so and why; leave both empty for no override."
            )
        return cls(**texts)

    @classmethod
    def answer(cls, value: Any) -> Answer:
        """Read what a person answered to a question; what cannot be read is no answer, and says why."""
        try:
            return Answer(cls.parse(value))
        except ArgumentError as err:
            return Answer(None, f" (the answer was not understood: {err})")

    def as_dict(self) -> dict[str, str]:
        """Give plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """What a person has said so far. ``fault``: why what they said is none, as the end of a sentence."""

    given: Override | None = None
    fault: str = ""


NOT_ANSWERED = Answer()
