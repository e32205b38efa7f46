"""What counters did since they were first read, and never what they stood at."""

from __future__ import annotations

from cd_provider.core.judge.counts import Counts, total
from cd_provider.core.judge.history import begun, history, lifetime
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.series import Series


def series(pod: str, *, first: float, base: float, samples: int = 10, bad: bool = False) -> Series:
    """A counter of ten requests in five seconds that stood at ``base`` with its first sample."""
    done = [(first + 5.0 * number, base + 10.0 * number) for number in range(samples)]
    return Series(f"{pod} {'bad' if bad else 'ok'}", "stable", pod, done, bad=bad)


def seen(*given: Series) -> Counts:
    return sum((total(tick.stable) for tick in history(begun(given, 5.0), 5.0)), Counts())


def test_a_pod_that_is_scraped_a_little_later_brings_nothing_from_before() -> None:
    assert seen(series("a", first=1000.0, base=1e6), series("b", first=1003.0, base=2e6)).requests <= 180


def test_a_pod_that_was_silent_at_first_brings_nothing_from_before() -> None:
    late = series("b", first=1020.0, base=2e6, samples=6)

    assert seen(series("a", first=1000.0, base=1e6), late).requests <= 140


def test_the_counter_of_a_first_error_begins_at_nothing() -> None:
    first_error = Series("a bad", "stable", "a", [(1020.0, 2.0), (1025.0, 2.0)], bad=True)

    assert seen(series("a", first=1000.0, base=1e6), first_error).errors == 2


def test_no_counters_are_no_ticks() -> None:
    assert history(begun([], 5.0), 5.0) == []


def page(pod: str, ok: float, bad: float, *edges: tuple[float, float]) -> list[Series]:
    """What a pod's page says at one moment; ``edges``: (seconds, requests up to them)."""
    plain = [
        Series(f"{pod} ok", "stable", pod, [(1000.0, ok)]),
        Series(f"{pod} bad", "stable", pod, [(1000.0, bad)], bad=True),
    ]
    return plain + [
        Series(f"{pod} le {edge}", "stable", pod, [(1000.0, upto)], edge=edge) for edge, upto in edges
    ]


def test_what_counters_stand_at_says_how_often_requests_fail_and_how_long_they_take() -> None:
    found = lifetime(
        [*page("a", 990, 10, (0.1, 900), (1.0, 1000)), *page("b", 500, 0, (0.1, 400), (1.0, 500))]
    )

    assert (found.requests, found.errors, found.edges, found.buckets) == (1500, 10, (0.1, 1.0), (1300, 200))
    assert not found.known


def test_of_latencies_only_what_every_page_counts_is_known() -> None:
    found = lifetime([*page("a", 10, 0, (0.1, 4), (1.0, 10)), *page("b", 10, 0, (0.2, 4), (1.0, 10))])

    assert (found.edges, found.buckets) == ((1.0,), (20,))


def test_pages_that_have_counted_nothing_say_nothing() -> None:
    assert lifetime([]) == lifetime(page("a", 0, 0)) == lifetime(page("a", float("nan"), 0)) == Past()
