"""One counter, scraped twice: by two replicas of a metrics server, or by two of its jobs."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from itertools import pairwise

from cd_provider.core.judge.series import Series, Side
from cd_provider.exceptions import MetricQueryError

# Who scraped. A series that differs by nothing else is the same counter.
REPLICA_LABELS = (
    "prometheus_replica",
    "receive_replica",
    "replica",
    "__replica__",
    "rule_replica",
    "prometheus",
)
# Where it was scraped: the same pod by another job, port or Service. It may be another container, or a copy.
TARGET_LABELS = ("job", "instance", "endpoint", "container", "service")
LAG_S = 30.0  # a replica that is this much behind another one is no longer read

Labelled = tuple[Mapping[str, str], Series]


def one_of_each(
    found: Sequence[Labelled],
    *,
    replica_label: str | None,
    chosen: MutableMapping[str, str],
    name: str = "Prometheus",
) -> list[Series]:
    """
    Give each counter once.

    :param found: labels, with ``__name__``, and the series made of them, whose id is that of :func:`identity`.
    :param replica_label: the label by which copies may differ: of those one is given, the same as long as it keeps up.
    :param chosen: counter → the replica that was read last; kept by the caller from read to read.
    :raises MetricQueryError: copies at the same time that differ by something else. Their sum could be twice the truth,
        and nobody can tell from outside whether it is.
    """
    groups: dict[str, list[Labelled]] = {}
    for one in found:
        groups.setdefault(one[1].id, []).append(one)
    return [_one(key, copies, replica_label, chosen, name) for key, copies in groups.items()]


def _one(
    key: str, copies: list[Labelled], replica_label: str | None, chosen: MutableMapping[str, str], name: str
) -> Series:
    if len(copies) == 1:  # as a rule
        labels, series = copies[0]
        chosen[key] = labels.get(replica_label or "", "")
        return series
    replicas: dict[str, list[Labelled]] = {}
    for labels, series in copies:
        replicas.setdefault(labels.get(replica_label or "", ""), []).append((labels, series))
    return _chosen(key, {one: _joined(copies, name) for one, copies in replicas.items()}, chosen)


def identity(
    side: Side, pod: str, labels: Mapping[str, str], *, backend: str | None, replica_label: str | None
) -> str:
    """
    Say which counter a series is, whoever scraped it: one that ends where the next begins goes on.

    :param labels: with ``__name__``. :param backend: the label by which a gateway tells Services apart; series that
        differ by it are no copies.
    """
    without = {*REPLICA_LABELS, *TARGET_LABELS, replica_label} - {backend}
    own = ", ".join(f'{key}="{labels[key]}"' for key in sorted(labels) if key not in without)
    return f"{side}/{pod}/{{{own}}}"


def _joined(copies: list[Labelled], name: str) -> Series:
    """Put together what one scraper saw after another, such as before and after a job was renamed."""
    ordered = sorted(copies, key=lambda one: _span(one[1]))
    for (_, before), (_, after) in pairwise(ordered):
        if _span(after)[0] <= _span(before)[1]:
            raise MetricQueryError(_said(copies, name))
    return ordered[0][1].with_samples(tuple(one for _, series in ordered for one in series.samples))


def _chosen(key: str, replicas: Mapping[str, Series], chosen: MutableMapping[str, str]) -> Series:
    newest = max(_span(series)[1] for series in replicas.values())
    fit = sorted(one for one, series in replicas.items() if _span(series)[1] >= newest - LAG_S)
    if chosen.get(key) not in fit:
        chosen[key] = fit[0]
    return replicas[chosen[key]]


def _said(copies: list[Labelled], name: str) -> str:
    first, second = copies[0][0], copies[1][0]
    differ = sorted(key for key in {*first, *second} if first.get(key) != second.get(key))
    seen = ", ".join(f"{key} ({first.get(key)!r} and {second.get(key)!r})" for key in differ)
    if label := next((one for one in REPLICA_LABELS if one in differ), None):
        do = f"name the label of the replicas (replica_label={label!r}), or read one of them (matchers)"
    else:
        do = "say by matchers which one counts"
    return (
        f"{name}: {first.get('__name__', 'a series')} of {copies[0][1].pod} is there {len(copies)} times, differing by "
        f"{seen or 'nothing'}; expected it once, since their sum may be twice the truth: {do}."
    )


def _span(series: Series) -> tuple[float, float]:
    stamps = [at for at, _ in series.samples] or [-math.inf]
    return min(stamps), max(stamps)
