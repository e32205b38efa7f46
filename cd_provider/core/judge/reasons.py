"""Why a canary ended without a verdict about the version, and what it would have taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from cd_provider.core.judge.drift import Drift
from cd_provider.core.judge.likelihood import share_of
from cd_provider.core.judge.settings import METRICS
from cd_provider.core.judge.story import percent
from cd_provider.core.judge.verdict import Word

if TYPE_CHECKING:
    from cd_provider.core.judge.judge import Judge

NO_SHIFT = 1e-6  # growth of a mean score that buckets do not show


@dataclass(frozen=True, slots=True)
class Reason:
    """
    Why there is no PASS.

    :param word: a short one that stays as it is, for whoever acts on it. :param need: what is missing, for people.
    """

    word: Word
    need: str


def reason(judge: Judge, at: float) -> Reason:
    """Give the first reason that holds, the plainest before the subtle ones."""
    ours, theirs = judge.story.candidate, judge.story.stable
    if not ours.requests:
        return Reason("no traffic", "requests to the candidate")
    if not theirs.requests and not judge.alone:
        other = "the baseline" if judge.settings.fresh else "stable"
        return Reason("no baseline", f"requests to {other} in the same minutes")
    if word := refuses(judge) or _cannot_tell(judge):
        return Reason(word, f"error shares of {percent(_most(judge))} or less")
    if pod := _one_pod(judge, at):
        return Reason("one pod", f"the same from another pod than {pod}, or {pod} on another host")
    if judge.settings.latency and not judge.tells_latency and not judge.alone:
        return Reason("no latency", "three latency buckets around what is usual, the same on both sides")
    wanted = needed(judge)  # may be without end, where pods of one version differ by as much
    if not judge.calm(at) or 0 < wanted <= judge.subtle.requests:
        return Reason("leaning", "a clear difference, or none")
    return Reason("too few requests", wanted_in(wanted, ours.requests / at if at > 0 else 0.0))


def refuses(judge: Judge) -> Word:
    """Say why nothing passes however alike both sides are; empty: nothing forbids it."""
    if not judge.has_baseline and not judge.alone:
        return "no baseline"
    if not judge.settings.errors:
        return ""
    if not judge.never.leans:
        return ""
    return "baseline unhealthy" if judge.never.stable_too else "too many errors"


def _cannot_tell(judge: Judge) -> Word:
    """Say so where stable fails so often that no candidate could be so many times as bad."""
    return "" if not judge.settings.errors or judge.harmless.may_be_times else "baseline unhealthy"


def _most(judge: Judge) -> float:
    return min(judge.settings.never_above, 1.0 / judge.settings.unacceptable.errors)


def _one_pod(judge: Judge, at: float) -> str:
    """Name the pod without which there would have been no case; empty: there is none, or more than one makes it."""
    settings, clear = judge.settings, judge.clear.settings
    found = [
        (metric, weight.evidence >= clear.clear, weight.convicts(clear), weight.without)
        for metric, weight in zip(METRICS, (judge.clear.errors, judge.clear.latency), strict=True)
    ]
    drifts = (judge.subtle.errors, judge.subtle.latency)
    for metric, lean, drift in zip(METRICS, judge.subtle.look(at) or (), drifts, strict=False):
        found.append((metric, lean.far, lean.convicts, drift.strongest))
    told = (one for one in found if settings.decides(one[0]))
    return next((pod for _, much, convicts, pod in told if much and not convicts and pod), "")


def needed(judge: Judge) -> float:
    """
    Give about how many requests of the candidate exclude what is unacceptable, were it exactly like stable.

    :returns: infinity when no number does: pods of one version differ by as much.
    """
    if judge.alone:
        return _share_needs(judge)
    latency = _latency_needs(judge) if judge.settings.latency else 0.0
    errors = min(_ratio_needs(judge), _share_needs(judge)) if judge.settings.errors else 0.0
    return max(errors, latency)


def _ratio_needs(judge: Judge) -> float:
    ours, theirs = judge.harmless.minutes.sums, judge.harmless.stable
    usual = judge.story.stable.error_share  # where none was seen since errors count
    events = ours.errors + theirs.errors or usual * (ours.requests + theirs.requests)
    if not events or not ours.requests:
        return math.inf
    share = share_of(judge.settings.unacceptable.errors, ours.requests, theirs.requests)
    off = events * (share - share_of(1.0, ours.requests, theirs.requests))
    scale = events * share * (1.0 - share)
    return ours.requests * _times(judge, judge.subtle.errors, off, judge.subtle.cluster * scale, scale)


def _share_needs(judge: Judge) -> float:
    """Give the same for "fewer than so large a share fails", with as many errors as stable has."""
    worst, usual = judge.settings.unacceptable.share, judge.story.stable.error_share
    if usual >= worst:
        return math.inf
    return _least(judge) ** 2 * judge.subtle.cluster * worst / (worst - usual) ** 2


def _latency_needs(judge: Judge) -> float:
    drift = judge.subtle.latency
    off = drift.scale * judge.unacceptable_shift
    return judge.subtle.requests * _times(judge, drift, off, drift.chance, drift.scale)


def _times(judge: Judge, drift: Drift, off: float, chance: float, scale: float) -> float:
    """Give how many times what was seen it takes: ``off`` grows with the requests, chance with their root."""
    square = _least(judge) ** 2
    each = drift.between(judge.settings.max_s)
    left = off**2 - square * scale**2 * each
    return square * chance / left if left > 0 and chance > 0 else math.inf


def _least(judge: Judge) -> float:
    return NormalDist().inv_cdf(1.0 - judge.settings.beta)


def wanted_in(requests: float, per_second: float) -> str:
    """Write how many requests, and how long they take: ``about 9,000 candidate requests, 11 h at this rate``."""
    if not math.isfinite(requests):
        return "more pods: those of one version differ here by as much"
    requests = math.ceil(requests)
    told = f"about {float(f'{requests:.2g}'):,.0f} candidate requests"
    if per_second <= 0:
        return told
    return f"{told}, {_long(requests / per_second)} at this rate"


def _long(seconds: float) -> str:
    for unit, name in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 1.95 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
