"""What ``cd-provider plan`` found: as tables for people, and as JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cd_provider.cli.screen import Screen, seconds_of, share_of
from cd_provider.cli.target import Target
from cd_provider.core.judge.foresight import Answer, Course, Enough
from cd_provider.core.judge.service import Service
from cd_provider.core.judge.story import clock, percent, rounded


@dataclass(frozen=True)
class Found:
    """
    What was measured and drawn.

    :param rates: requests per second, by when. :param answers: question → answer. :param floors: the same with
        traffic without limit. :param passes: by when. :param shares: what of the traffic decides in time.
    """

    service: Service
    course: Course
    rates: Mapping[str, float]
    answers: dict[str, Answer] = field(default_factory=dict)
    floors: dict[str, Answer] = field(default_factory=dict)
    passes: dict[str, Answer] = field(default_factory=dict)
    shares: dict[str, Enough] = field(default_factory=dict)


def show(screen: Screen, target: Target, found: Found, *, runs: int, missing: Sequence[str]) -> None:
    """Print it."""
    course = found.course
    screen.say(f"{target.title}: {_about(found.service)}")
    weights = ", ".join(f"{step.weight} % for {step.for_s:g} s" for step in course.steps)
    screen.say(
        f"canary: {weights}, the last until there is a verdict; over at {clock(course.settings.max_s)}. "
        f"Medians of {runs} canaries drawn for each line, and how many of them.\n"
    )
    screen.table(
        ("a candidate of which", "off traffic after", "of all", "FAIL after", "of all", "fastest possible"),
        [_bad_row(name, answer, found.floors[name]) for name, answer in found.answers.items()],
    )
    screen.table(
        (
            "a candidate like stable",
            "requests/s",
            "PASS after",
            "of all",
            "undecided",
            "stopped",
            "fastest possible",
        ),
        [_good_row(when, found, answer) for when, answer in found.passes.items()],
    )
    screen.table(
        ("decided before the end", "needs of the traffic"),
        [(name, _enough(one)) for name, one in found.shares.items()],
    )
    for line in (*_remarks(found), *(f"not told: {one}" for one in missing)):
        screen.say(f"- {line}")


def _about(service: Service) -> str:
    past = service.past
    pods = f"{service.pods} pod(s), " if service.units else ""
    together = f", which come {rounded(past.cluster)} at a time" if past.known and past.errors else ""
    return (
        f"{pods}{rounded(service.rate)} requests/s, {percent(past.share)} errors{together}, in the last hour; samples "
        f"every {service.interval_s:g} s"
    )


def _bad_row(name: str, answer: Answer, floor: Answer) -> tuple[str, ...]:
    return (
        name, seconds_of(answer.off_s), share_of(answer.off_share), seconds_of(answer.after_s("FAIL")),
        share_of(answer.share("FAIL")), seconds_of(floor.off_s),
    )  # fmt: skip


def _good_row(when: str, found: Found, answer: Answer) -> tuple[str, ...]:
    return (
        when, rounded(found.rates[when]), seconds_of(answer.after_s("PASS")), share_of(answer.share("PASS")),
        share_of(1.0 - answer.share("PASS") - answer.share("FAIL")), share_of(answer.off_share),
        seconds_of(found.floors["like stable"].after_s("PASS")),
    )  # fmt: skip


def _enough(one: Enough) -> str:
    if one.weight is None:
        return f"more than 50 % (with it {share_of(one.share)} are decided)"
    return f"{one.weight} % ({share_of(one.share)} are decided)"


def _remarks(found: Found) -> list[str]:
    service, past = found.service, found.service.past
    told = []
    if not past.errors:
        told.append(
            "no request failed in the last hour: how soon so many times the errors are seen cannot be told"
        )
    if not past.known:
        told.append("too few errors to see how many come together: they are taken to come in pairs")
    if found.course.settings.latency and len(past.edges) <= 3:
        told.append("no latency buckets: a judge passes nothing without them")
    if not service.known_apart:
        told.append(
            "pods are not told apart (a gateway's counters, or a single pod): here they are drawn alike"
        )
    need = found.passes["as in the last hour"].need
    if need:
        told.append(
            f"a PASS takes about {float(f'{need:.2g}'):,.0f} candidate requests where it did not come in time"
        )
    return told


def as_dict(target: Target, found: Found, *, runs: int, missing: Sequence[str]) -> dict[str, Any]:
    """Give plain JSON."""
    service, settings = found.service, found.course.settings
    return {
        "command": "plan",
        "service": {
            "namespace": target.namespace, "name": target.service, "preset": target.preset.name,
            "requests_per_s": service.rate, "error_share": service.past.share,
            "pods": service.pods if service.units else None,
            "errors_together": service.past.cluster if service.past.known else None, "interval_s": service.interval_s,
        },
        "gate": target.gate.as_dict(),
        "canary": {"steps": [asdict(step) for step in found.course.steps], "max_s": settings.max_s},
        "runs": runs,
        "bad": {name: {**_told(one), "fastest_off_s": found.floors[name].off_s} for name, one in found.answers.items()},
        "like_stable": {
            when: {**_told(one), "requests_per_s": found.rates[when]} for when, one in found.passes.items()
        },
        "fastest_pass_s": found.floors["like stable"].after_s("PASS"),
        "share_needed": {name: asdict(one) for name, one in found.shares.items()},
        "remarks": [*_remarks(found), *missing],
    }  # fmt: skip


def _told(answer: Answer) -> dict[str, Any]:
    return {
        "off_s": answer.off_s, "off_share": answer.off_share,
        "fail_s": answer.after_s("FAIL"), "fail_share": answer.share("FAIL"),
        "pass_s": answer.after_s("PASS"), "pass_share": answer.share("PASS"),
        "candidate_requests_needed": answer.need or None,
    }  # fmt: skip
