"""Names that are public for ever: labels, annotations, field manager, lease."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIELD_MANAGER = "cd-provider"
PREFIX = "cd-provider/"

SIDE = PREFIX + "side"  # label: "candidate" or "baseline"
RELEASE = PREFIX + "release"  # label and annotation: the release's short id
APP = PREFIX + "app"  # label
DELIVERY = PREFIX + "delivery"  # annotation: which delivery (Dag run and group) made this
ATTEMPT = PREFIX + "attempt"  # annotation: which attempt of it
IMAGE = PREFIX + "image"  # annotation: repository@sha256:…
STEP = PREFIX + "step"  # annotation: index of the canary's step, from 0; -1 before the first
STEP_STARTED = (
    PREFIX + "step-started"
)  # annotation: epoch seconds, when the step's weight was first effective
VERDICT = PREFIX + "verdict"  # annotation: JSON, the stored verdict
RECORD = PREFIX + "record"  # annotation on stable: JSON, what was released and what was before
ROUTE_BASELINE = PREFIX + "route-baseline"  # annotation on the route: which of its backends is our baseline
INSTANCE = PREFIX + "instance"  # annotation on the lease: which process of the holder writes

RECORD_KEY = "judge_record"  # XCom of the canary's task
PAGES = "/cd-provider"  # where Airflow's API server has our pages

CANDIDATE = "candidate"
BASELINE = "baseline"  # stable's own image beside the candidate, as young as it
RUNS = (
    PREFIX + "runs"
)  # annotation on the baseline: digests that stable's pods ran when it was made, comma-separated
LEASE_S = 120


def side_name(name: str, side: str) -> str:
    """Name what belongs to a side of ``name`` that we made: ``candidate`` or ``baseline``."""
    return f"{name}-{side}"


def candidate_name(name: str) -> str:
    """Name what belongs to the candidate of ``name``."""
    return side_name(name, CANDIDATE)


def baseline_name(name: str) -> str:
    """Name what belongs to the baseline of ``name``."""
    return side_name(name, BASELINE)


def lease_name(kind: str, name: str) -> str:
    """Name the lock of one workload."""
    return f"cd-provider-{kind}-{name}"


def record_key(number: int) -> str:
    """Name the XCom with the record of a canary's first judge, its second, and so on, in the order of its gates."""
    return RECORD_KEY if number == 1 else f"{RECORD_KEY}_{number}"


def short_hash(value: Any) -> str:
    """Give 12 hex digits that are the same for equal JSON values, on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def delivery_id(*, dag_id: str, run_id: str, group: str) -> str:
    """Name one delivery: the same text in each of its tasks and attempts, at most 63 characters, label-safe."""
    return f"d-{short_hash([dag_id, run_id, group])}"


def release_id(*, app: str, image: str, delivery: str) -> str:
    """Name one release: one image of one app, asked for by one delivery."""
    return f"r-{short_hash([app, image, delivery])}"


def compact(values: Mapping[str, Any]) -> str:
    """Write JSON as annotations carry it: sorted, no spaces, so that equal values are equal texts."""
    return json.dumps(dict(values), sort_keys=True, separators=(",", ":"))
