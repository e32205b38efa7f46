"""A release and where it goes: what every task of a delivery is told, as plain JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from cd_provider.core.image import ImageRef
from cd_provider.core.names import release_id
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import ArgumentError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Target:
    """
    Where a release goes.

    :param workload: such as ``deployment/shop``.
    :param router: what ``gateway_api(…)`` gives.
    :param container: which container of the pods; may be None when there is one.
    :param service: stable's Service; None: the one that the route names and that selects stable's pods.
    """

    workload: str
    namespace: str
    router: Mapping[str, Any]
    container: str | None = None
    service: str | None = None
    kubernetes_conn_id: str = "kubernetes_default"

    @property
    def ref(self) -> WorkloadRef:
        """The workload, read."""
        return WorkloadRef.parse(self.workload, namespace=self.namespace)

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {**asdict(self), "router": dict(self.router)}


@dataclass(frozen=True)
class Release:
    """
    One image of one app, asked for by one delivery: immutable.

    ``digests`` are all names under which a node may report the image (index, manifest, config). ``asked_at`` is
    when its Dag run was due (epoch seconds): a later run with an older one is an old release coming back.
    """

    app: str
    image: str
    digests: tuple[str, ...]
    tag: str | None
    delivery: str
    asked_at: float
    dag_id: str
    run_id: str
    asked_by: str | None = None
    url: str | None = None
    source_commit: str | None = None

    @property
    def id(self) -> str:
        """A short name, the same in each task and attempt."""
        return release_id(app=self.app, image=self.image, delivery=self.delivery)

    @property
    def about(self) -> str:
        """Which delivery this is, for people."""
        return f"Dag {self.dag_id}, run {self.run_id}"

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {**asdict(self), "digests": list(self.digests)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Release:
        """Read what :meth:`as_dict` gave."""
        return cls(**{**value, "digests": tuple(value["digests"])})


@dataclass(frozen=True)
class Verified:
    """What the verify task handed on, or what an image text says by itself."""

    image: str
    digests: tuple[str, ...]
    tag: str | None = None
    source_commit: str | None = None

    @classmethod
    def parse(cls, value: Any) -> Verified:
        """
        Read the output of ``ImageVerifyOperator`` (also as JSON text), or a text ``repository@sha256:…``.

        :raises ArgumentError: anything else; a tag alone may have moved since it was looked at.
        """
        value = json_object(value)
        given = value if isinstance(value, Mapping) else {"image": value}
        ref = ImageRef.parse(given.get("image"))
        if ref.digest is None:
            raise ArgumentError(
                f"image: saw {given['image']!r}, expected repository@sha256:…; verify it first."
            )
        digests = {ref.digest, *(given.get("digests") or ())}
        pinned = str(ref.pinned(ref.digest))
        return cls(pinned, tuple(sorted(digests)), given.get("tag") or ref.tag, given.get("source_commit"))


def json_object(value: Any) -> Any:
    """Read a JSON object, or null, that a template gave as text; anything else stays as it is."""
    if isinstance(value, str) and (value == "null" or value.startswith("{")):
        with suppress(ValueError):
            return json.loads(value)
    return value


def check_app(value: Any) -> str:
    """Read the app's name: a DNS label, since it becomes a label's value."""
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        raise ArgumentError(
            f"app: saw {value!r}, expected a name of lower-case letters, digits and '-', at most 63."
        )
    return value


# What a canary may end with and keep its traffic: every gate kept; not judged, by a person's word; all gates observe.
PASSING = ("PASS", "OVERRIDE", "OBSERVED")


@dataclass(frozen=True)
class Verdict:
    """
    A stored verdict: what promote asks for, kept as an annotation on the candidate.

    It binds the release (and so its digest), the gates (by hash), the attempt, and what was judged.

    :param at: when it was given, epoch seconds.
    :param first_sample: begin and end of what the judges saw, epoch seconds by the samples' own clock; None: no judge.
    :param by: of an OVERRIDE, who said so, and why.
    """

    kind: str  # one of PASSING, FAIL, INCONCLUSIVE, ABORTED
    release: str
    gates: str
    attempt: int
    at: float
    line: str = ""
    first_sample: float | None = None
    last_sample: float | None = None
    by: str = ""
    reason: str = ""

    @property
    def passes(self) -> bool:
        """Whether promotion takes it."""
        return self.kind in PASSING

    @property
    def seen_at(self) -> float:
        """The age of what it goes by, epoch seconds."""
        return self.at if self.last_sample is None else min(self.at, self.last_sample)

    @property
    def remark(self) -> str:
        """What has to be told beside a promotion; empty: every gate was kept."""
        if self.kind == "OVERRIDE":
            return f"; it could not be judged, and was let through by {self.by}: {self.reason}"
        return "; nothing was judged: every gate only observes" if self.kind == "OBSERVED" else ""

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return asdict(self)

    @classmethod
    def read(cls, text: str | None) -> Verdict | None:
        """Read an annotation; None when there is none or when it is not ours."""
        try:
            return cls(**json.loads(text)) if text else None
        except (TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Record:
    """
    What a workload says about its last delivery, kept as an annotation on it; rollback needs no Airflow history.

    ``state`` is ``promoting`` while pods are being replaced, then ``promoted``. ``before`` maps each container that
    the release changed to the image text it had. ``verdict`` is what it was promoted by.
    """

    release: Mapping[str, Any]
    before: Mapping[str, str]
    state: str
    at: float
    release_before: str | None = None
    verdict: Mapping[str, Any] | None = None

    @property
    def remark(self) -> str:
        """What has to be told beside the promotion."""
        verdict = Verdict.read(json.dumps(self.verdict)) if self.verdict else None
        return verdict.remark if verdict else ""

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return asdict(self)

    @classmethod
    def read(cls, text: str | None) -> Record | None:
        """Read an annotation; None when there is none or when it is not ours."""
        try:
            return cls(**json.loads(text)) if text else None
        except (TypeError, ValueError):
            return None


def check_keys(value: Any, *, name: str, needed: Sequence[str], known: Sequence[str]) -> Mapping[str, Any]:
    """
    Check a mapping's keys.

    :raises ArgumentError: no mapping, a key that is not known, or one that is missing.
    """
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{name}: saw {value!r}, expected a mapping with {', '.join(needed)}.")
    if unknown := sorted(set(value) - set(known)):
        raise ArgumentError(
            f"{name}: unknown key {unknown[0]!r}, expected some of {', '.join(sorted(known))}."
        )
    if missing := [key for key in needed if value.get(key) in (None, "")]:
        raise ArgumentError(f"{name}: {missing[0]} is missing.")
    return value
