"""
Judged canaries on the real stack: how fast a judge stops bad ones, and what it does to healthy ones.

Bad candidates of four kinds run side by side, then healthy deliveries do. Meanwhile eight healthy pods at 6 and eight
at 60 requests a second are recorded; afterwards the recordings are split at random and judged.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import judged_bad, judged_healthy, splits
from benchmarks.judged_shops import judged_shop, stream
from benchmarks.progress import say
from benchmarks.recording import Job, recorded
from benchmarks.report import BUILD, Figure, Report
from benchmarks.world import running_stack

if TYPE_CHECKING:
    from tests.stack import Stack

RATES, PODS = (6, 60), 8


@dataclass(frozen=True)
class Extent:
    """
    How much is measured.

    :param bad: canaries of each kind. :param healthy: deliveries. :param record_s: recorded at least; longer while the
        others last. :param count: splits of each recording.
    """

    bad: int
    healthy: int
    record_s: float
    count: int


USUAL = Extent(bad=20, healthy=8, record_s=1200.0, count=100)
LONG = Extent(bad=20, healthy=20, record_s=3600.0, count=splits.SPLITS)


def shorter(runs: int) -> Extent:
    """Give as many bad and healthy ones, ten splits for each, and a recording of at least five minutes."""
    return Extent(bad=runs, healthy=runs, record_s=300.0, count=min(splits.SPLITS, 10 * runs))


def run(runs: int | None = None) -> Report:
    """Measure 20 bad canaries of each kind, 8 healthy deliveries, and a recording as long as they last."""
    return measure(USUAL if runs is None else shorter(runs), name="judged")


def measure(extent: Extent, *, name: str) -> Report:
    """Run all of it."""
    paths = {rate: BUILD / f"healthy-{rate}.json.gz" for rate in RATES}
    with running_stack() as stack, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with healthy_pods(stack, folder, paths) as jobs, recorded(jobs, at_least_s=extent.record_s):
            began = time.monotonic()
            bad = judged_bad.measure(stack, folder, extent.bad)
            keep(name, bad)
            say(f"bad candidates took {time.monotonic() - began:.0f} s")
            healthy = judged_healthy.measure(stack, folder, extent.healthy)
            keep(name, [*bad, *healthy])
            say(f"recording goes on until it has lasted {extent.record_s:g} s")
    found = {rate: splits.judge_all(path, count=extent.count) for rate, path in paths.items()}
    return report(name, bad, healthy, found)


def keep(name: str, samples: Sequence[Mapping[str, Any]]) -> None:
    """Write what there is so far: a long benchmark that is broken off loses the rest alone."""
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / f"{name}.so-far.json").write_text(json.dumps(list(samples), indent=2, ensure_ascii=False) + "\n")


@contextmanager
def healthy_pods(stack: Stack, folder: Path, paths: Mapping[int, Path]) -> Iterator[list[Job]]:
    """Have eight pods under load for each rate."""
    image = judged_healthy.push_healthy(stack, judged_healthy.VERSIONS[0])
    with ExitStack() as opened:
        jobs = []
        for rate, path in paths.items():
            shop = opened.enter_context(judged_shop(stack, image, replicas=PODS))
            opened.enter_context(stream(shop, folder, rate_per_s=rate))
            about = {
                "rate_per_s": rate, "error_share": judged_healthy.SHARE, "latency_ms": judged_healthy.LATENCY_MS
            }  # fmt: skip
            pods = sorted(pod["metadata"]["name"] for pod in shop.pods())
            jobs.append(Job(shop.conn_id, shop.namespace, pods, about, path))
        yield jobs


def report(
    name: str,
    bad: Sequence[Mapping[str, Any]],
    healthy: Sequence[Mapping[str, Any]],
    found: Mapping[int, tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]],
) -> Report:
    """Put the figures of all parts together."""
    figures: list[Figure] = [*judged_bad.figures(bad), *judged_healthy.figures(healthy)]
    samples = [*bad, *healthy]
    for rate, (about, judged) in found.items():
        figures += splits.figures(f"splits_{rate}", about, judged)
        samples += [{"what": f"split {rate}/s", **one} for one in judged]
    return Report(
        name=name, title="Judged canaries: errors, and false stops by the same judge",
        figures=figures, samples=samples, settings=settings(found), notes=NOTES,
    )  # fmt: skip


def settings(found: Mapping[int, tuple[Mapping[str, Any], Any]]) -> dict[str, Any]:
    """Give what has to be the same when it is measured again."""
    return {
        "bad": {"requests_per_s": judged_bad.RATE_PER_S, "weight": judged_bad.WEIGHT, "lanes": judged_bad.LANES},
        "healthy": {
            "requests_per_s": judged_healthy.RATE_PER_S, "steps": judged_healthy.STEPS, "lanes": judged_healthy.LANES,
            "max_s": judged_healthy.MAX_S, "error_share": judged_healthy.SHARE,
        },
        "recorded": {str(rate): dict(about) for rate, (about, _) in found.items()},
    }  # fmt: skip


BAD, HEALTHY = judged_bad, judged_healthy
NOTES = [
    f"Bad: {BAD.RATE_PER_S:g} requests/s, {BAD.WEIGHT} % to two pods of the candidate, stable fails none. Direct reads "
    "every second, Prometheus scrapes every 5 s. on_trip=fail: the first trip ends the canary, so that each has one "
    "end; as it comes the candidate may return once. What was not stopped within "
    f"{BAD.MAX_S:g} s is counted apart, and is in no median.",
    f"{BAD.ARGO} and {BAD.FLAGGER}, limits as sharp as they go, were measured earlier on the same kind of stack, and "
    "are not run here. In brackets: theirs as a multiple of ours.",
    f"Healthy: {HEALTHY.RATE_PER_S:g} requests/s each, {HEALTHY.SHARE:.1%} errors on both sides, answers after "
    f"{HEALTHY.LATENCY_MS} ms, 20 s at 10 %, then 50 % until the verdict, {HEALTHY.MAX_S / 60:.0f} min at most; then "
    "promoted.",
    f"Splits: 2 of {PODS} healthy pods as candidate against the others, from a random moment on, up to "
    f"{splits.MOST_S / 60:g} min, with the past of the six as far as it was recorded. Many splits of few hours: the "
    "intervals say how often it happens in these hours, not in others.",
]
