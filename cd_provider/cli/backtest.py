"""``cd-provider backtest``: how often a judge would stop this service's own version."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from cd_provider.cli.backtest_told import Found, Order, as_dict, show
from cd_provider.cli.reader import HOUR_S, Reader, Window, joined, ticks
from cd_provider.cli.screen import Screen, add_output, check_writable, utc, write_json
from cd_provider.cli.session import Session
from cd_provider.cli.target import add_server, add_target, read_target
from cd_provider.cli.work import Work, read_jobs
from cd_provider.core.judge.backtest import Split, Stretch, Tally, judge_split, splits
from cd_provider.core.units import seconds, whole
from cd_provider.exceptions import ArgumentError, CdProviderError, MetricsUnavailableError

OUTAGES = 3  # hours in a row that cannot be read, after which the others are not tried


def add_backtest(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    add_target(parser)
    add_server(parser)
    group = parser.add_argument_group("backtest")
    group.add_argument(
        "--since", default="7d", metavar="AGO", help="how far back, such as 7d or 12h (default: 7d)"
    )
    group.add_argument(
        "--max-s", default="30m", metavar="S", help="how long each canary may last (default: 30m)"
    )
    group.add_argument(
        "--starts", default="1", metavar="N", help="canaries an hour, one after the other (default: 1)"
    )
    group.add_argument(
        "--splits", default="3", metavar="N", help="splits of the pods at each start (default: 3)"
    )
    group.add_argument("--candidate-pods", metavar="N", help="of the split's candidate (default: half)")
    add_output(parser)
    parser.add_argument("--seed", default="", help="another one splits otherwise")
    parser.add_argument("--jobs", metavar="N", help="processes (default: one for each core)")


def backtest(given: argparse.Namespace) -> int:
    """
    Read, split, judge, print; what was measured is printed even when it was ended half-way.

    :raises CdProviderError: what was given makes no sense, or nothing was measured.
    """
    order = _order(given)
    jobs = read_jobs(given.jobs)
    check_writable(given.json)
    screen, found, interrupted = Screen(quiet=given.quiet), Found(), False
    try:
        _measure(given, order, screen, found, jobs=jobs)
    except KeyboardInterrupt:
        interrupted = True
        screen.remark("interrupted; this is what was measured so far")
    except CdProviderError as err:
        if not found.tally.tried:
            raise
        found.fault = str(err)
    if given.json != "-":
        show(screen, order, found)
    write_json(given.json, as_dict(order, found))
    if interrupted:
        return 130
    return 1 if found.fault or not found.tally.tried else 0


def _order(given: argparse.Namespace) -> Order:
    target = read_target(given)
    if not target.by_pod:
        raise ArgumentError(
            f"preset {target.preset.name!r} reads a gateway's counters, which do not tell stable's pods apart, so that "
            "there is nothing to split; expected one that reads each pod's own: otel_http_server, demo or custom."
        )
    max_s = seconds(given.max_s, name="--max-s", least=60.0)
    starts = whole(given.starts, name="--starts", least=1)
    if starts * max_s > HOUR_S:
        raise ArgumentError(
            f"--starts {starts} of --max-s {max_s:g} s each do not fit into an hour, expected {HOUR_S:g} s together at "
            "most: canaries that overlap are no independent witnesses."
        )
    hours = int(seconds(given.since, name="--since", least=2 * HOUR_S) // HOUR_S)
    return Order(
        target, hours, target.gate.settings(max_s=max_s), starts, whole(given.splits, name="--splits", least=1),
        None if given.candidate_pods is None else whole(given.candidate_pods, name="--candidate-pods", least=1),
        given.seed,
    )  # fmt: skip


def _measure(given: argparse.Namespace, order: Order, screen: Screen, found: Found, *, jobs: int) -> None:
    with (
        Session(given, order.target, screen) as session,
        Work(jobs) as work,
        screen.bar("hours", order.hours) as bar,
    ):
        reader = session.reader
        found.now = session.run(reader.now())
        before, deaf = None, 0
        for number in range(order.hours, 0, -1):
            since = found.now - number * HOUR_S
            bar.done(0, what=f"hours, at {utc(since)} UTC; {_so_far(found)}")
            window = _window(session, reader, since, found)
            deaf = 0 if window is not None else deaf + 1
            if deaf >= OUTAGES:
                why = found.missing[-1][1]
                found.fault = f"{reader.source.name}: nothing usable for {OUTAGES} hours in a row: {why}"
                return
            wanted = list(_splits(order, before, window, found))
            for tried in work.each(judge_split, wanted):
                found.tally = Tally((*found.tally.tried, tried))
            before = window
            bar.done()
        found.whole = True


def _so_far(found: Found) -> str:
    stopped = found.tally.stopped
    return f"stopped {stopped.runs} of {len(found.tally.tried)}"


def _window(session: Session, reader: Reader, since: float, found: Found) -> Window | None:
    """Read one hour; None: there was no usable answer."""
    try:
        window = session.run(reader.window(since, since + HOUR_S))
    except MetricsUnavailableError as err:
        found.missing.append((since, f"not read: {err}"))
        return None
    if window.missing:
        found.missing.append((since, window.missing))
    return window


def _splits(order: Order, before: Window | None, window: Window | None, found: Found) -> Iterator[Split]:
    """Split the pods at each start of one hour; the hour before has to be there, since a judge reads it."""
    if window is None or window.missing or before is None or before.missing:
        return
    record = ticks(order.target, joined(before, window), window.interval_s)
    for number in range(order.starts):
        began_at = window.since + number * HOUR_S / order.starts
        stretch = Stretch.of(record, began_at=began_at, max_s=order.settings.max_s)
        some = splits(stretch, order.settings, count=order.splits, pods=order.pods, seed=order.seed)
        if not some:
            least = 2 if order.pods is None else order.pods + 1
            found.missing.append(
                (
                    began_at,
                    f"{len(stretch.pods)} pod(s) there all the while, expected {least} or more (a rollout?)",
                )
            )
        yield from some
