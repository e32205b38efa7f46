"""
Healthy pods, split at random into a candidate and a stable side, and judged by the product's reader and judge.

Every verdict but PASS is a false one, or a service with too few requests. The splits are made of one recording, so they
are many looks at few hours: beside each interval stands how many hours are independent.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.canary_bench.wilson import wilson
from benchmarks.progress import say
from benchmarks.recording import AS_CANDIDATE, EVERY_S, Recording
from benchmarks.report import Figure, Report
from benchmarks.table import make_table
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.past import Past, look_back
from cd_provider.core.judge.series import Side
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge_gate import JudgeGate, judge

SPLITS, MOST_S, HISTORY_S, SEED, TOGETHER = 200, 1800.0, 3600.0, 20261126, 2
LEAST_S = 240.0  # of a split: nothing passes within the first three minutes
CHUNK = 10
VERDICTS = ("FAIL", "TRIP", "INCONCLUSIVE", "PASS")


@dataclass(frozen=True)
class Split:
    """One healthy canary; ``start`` in seconds since the recording began."""

    candidate: tuple[str, ...]
    stable: tuple[str, ...]
    start: float
    for_s: float


def draw(pods: Sequence[str], *, length_s: float, count: int, seed: int = SEED) -> list[Split]:
    """
    Draw ``count`` splits: two pods against the others, from a random moment on, for 30 minutes or as long as there is.

    :param length_s: of the recording. One shorter than twice 30 minutes is begun within its first half, so that each
        canary has time to be judged; the same seed draws the same.
    :raises ValueError: it is too short, or has too few pods, to say anything.
    """
    if length_s < LEAST_S or len(pods) <= AS_CANDIDATE:
        raise ValueError(
            f"a recording of {len(pods)} pods and {length_s:.0f} s: expected more than {AS_CANDIDATE} and at least "
            f"{LEAST_S:g} s"
        )
    chance, found = random.Random(seed), []
    latest = max(0.0, min(max(length_s - MOST_S, length_s / 2), length_s - LEAST_S))
    for _ in range(count):
        candidate = tuple(sorted(chance.sample(sorted(pods), AS_CANDIDATE)))
        stable = tuple(pod for pod in sorted(pods) if pod not in candidate)
        start = chance.uniform(0.0, latest)
        found.append(Split(candidate, stable, start, min(MOST_S, length_s - start)))
    return found


def judge_split(recording: Recording, split: Split) -> dict[str, Any]:
    """
    Judge one split to its end, as a canary: by Prometheus with a sample a second, so with the past where there is any.

    :returns: ``kind``: the first of PASS, FAIL, INCONCLUSIVE and NO_DATA, and ``at``, its second; ``tripped``;
        ``failed_later``: FAIL after a PASS; ``line``.
    """
    began = recording.span[0] + split.start
    settings = settings_of(split.for_s)
    stable: dict[str, Side] = dict.fromkeys(split.stable, "stable")
    both: dict[str, Side] = {**dict.fromkeys(split.candidate, "candidate"), **stable}
    past = look_back(list(ticks(recording, stable, since=began - HISTORY_S, until=began)))
    return judged(Judge(settings, began_at=began, past=past), recording, both, began, split)


def settings_of(max_s: float) -> JudgeSettings:
    """Give the judge's numbers as a Dag author has them who says nothing."""
    return JudgeGate.parse(judge(preset="demo")).settings(max_s=max_s)


def ticks(recording: Recording, pods: Mapping[str, Side], *, since: float, until: float) -> Iterator[Tick]:
    """Read a stretch as the product does: by its own stamps, onto one grid that begins at ``since``."""
    first = max(since, recording.span[0])
    aligner = Aligner(started_at=first, interval_s=EVERY_S)
    yield from aligner.feed(recording.series(pods, since=first - 4 * EVERY_S, until=until))


def judged(
    judge: Judge, recording: Recording, pods: Mapping[str, Side], began: float, split: Split
) -> dict[str, Any]:
    """Step through it, on beyond a PASS: a candidate goes on being judged."""
    first, later = None, False
    for tick in ticks(recording, pods, since=began, until=began + split.for_s + EVERY_S):
        if (said := judge.step(tick)) is None or said.kind == "TRIP":
            continue
        later = first is not None and said.kind == "FAIL"
        first = first or said
        if said.kind != "PASS":
            break
    return {
        "kind": first.kind if first else "INCONCLUSIVE",
        "at": round(first.at, 1) if first else round(split.for_s, 1),
        "tripped": bool(judge.trips),
        "failed_later": later,
        "known": past_known(judge.past),
        "candidate": split.candidate,
        "start": round(split.start, 1),
        "line": first.line if first else "",
    }


def past_known(past: Past) -> float:
    """Give how many requests of the past the judge knew."""
    return round(past.requests)


def judge_all(path: Path, *, count: int) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """Judge ``count`` splits of a recording, on both cores; give what it is about, and a sample for each."""
    recording = Recording.read(path)
    since, until = recording.span
    splits = draw(recording.pods, length_s=until - since, count=count)
    pieces = [splits[at : at + CHUNK] for at in range(0, len(splits), CHUNK)]
    about = {**recording.about, "recorded_s": round(until - since), "missed": sum(recording.missed.values())}
    samples: list[dict[str, Any]] = []
    with ProcessPoolExecutor(TOGETHER, get_context("spawn")) as pool:
        for done in pool.map(judge_some, [path] * len(pieces), pieces):
            samples += done
            say(f"{path.name}: {len(samples)} of {len(splits)} splits judged: {counted(samples)}")
    return about, samples


def judge_some(path: Path, splits: Sequence[Split]) -> list[dict[str, Any]]:
    """Judge some, in a process of their own."""
    recording = Recording.read(path)
    return [judge_split(recording, split) for split in splits]


def counted(samples: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count verdicts; a split that tripped counts as TRIP and as what it came to. Silence is inconclusive."""
    kinds = ["INCONCLUSIVE" if one["kind"] == "NO_DATA" else one["kind"] for one in samples]
    trips = sum(one["tripped"] for one in samples)
    return {kind: trips if kind == "TRIP" else kinds.count(kind) for kind in VERDICTS}


def figures(key: str, about: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Make the figures of one recording: shares in per cent, with the two ends of their Wilson intervals."""
    found, of, hours = counted(samples), len(samples), about["recorded_s"] / 3600.0
    label = f"{about['rate_per_s']:g} requests/s"
    head = Figure(
        key=f"{key}_hours", label=f"{label}: hours recorded, all that are independent", value=round(hours, 2), unit="h"
    )  # fmt: skip
    shares = [share(f"{key}_{kind.lower()}", f"… {kind}", found[kind], of) for kind in VERDICTS]
    later = sum(one["failed_later"] for one in samples)
    return [head, *shares, share(f"{key}_failed_later", "… FAIL after a PASS", later, of)]


def share(key: str, label: str, hits: int, of: int) -> Figure:
    """Give a share of the splits in per cent; its interval stands in the label."""
    low, high = wilson(hits, of)
    said = f"{label}: {hits} of {of} splits (95 %: {low:.1%}–{high:.1%})"
    return Figure(key=key, label=said, value=100.0 * hits / of if of else None, unit="%")


def main(argv: Sequence[str] | None = None) -> None:
    """Judge a recording again, and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.splits", description=main.__doc__)
    parser.add_argument("recording", type=Path, help="such as build/bench/healthy-60.json.gz")
    parser.add_argument("--splits", type=int, default=SPLITS, help=f"how many; default {SPLITS}")
    given = parser.parse_args(argv)
    about, samples = judge_all(given.recording, count=given.splits)
    found = figures("splits", about, samples)
    title = f"{given.recording.name}, split at random and judged"
    Console(width=120).print(make_table(Report(name="splits", title=title, figures=found, samples=samples)))


if __name__ == "__main__":
    main()
