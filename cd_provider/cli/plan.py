"""``cd-provider plan``: what a judge can see at this service's traffic, and how soon."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from cd_provider.cli.plan_show import Found, as_dict, show
from cd_provider.cli.reader import HOUR_S, Reader, ticks
from cd_provider.cli.screen import Screen, add_output, check_writable, utc, write_json
from cd_provider.cli.session import Session
from cd_provider.cli.target import Target, add_server, add_target, read_target
from cd_provider.cli.work import Work, read_jobs
from cd_provider.core.judge.foresight import (
    QUESTIONS,
    Course,
    Each,
    ask,
    enough,
    tries,
    unlimited,
)
from cd_provider.core.judge.service import HEALTHY, Harm, Service
from cd_provider.core.traffic import parse_steps
from cd_provider.core.units import from_json, seconds, whole
from cd_provider.exceptions import ArgumentError, MetricQueryError

DAY_S = 86_400.0
SAME_HOUR = {"yesterday at this hour": DAY_S, "a week ago at this hour": 7 * DAY_S}
FLOOR_RUNS = 7
WANTED: Mapping[str, tuple[Harm, str]] = {
    "like stable: PASS": (HEALTHY, "PASS"),
    "2x the errors: off traffic": (QUESTIONS["2x the errors"], "FAIL"),
    "25 % slower: off traffic": (QUESTIONS["25 % slower"], "FAIL"),
}


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    add_target(parser)
    add_server(parser)
    group = parser.add_argument_group("canary")
    group.add_argument(
        "--steps", default="5,25,50", help="weights in per cent, or JSON as in a Dag (default: 5,25,50)"
    )
    group.add_argument("--step-s", default="60", metavar="S", help="seconds of a step (default: 60)")
    group.add_argument(
        "--max-s", metavar="S", help="when the canary is over (default: the steps and 17 minutes)"
    )
    group.add_argument("--candidate-min", default="1", metavar="N", help="never fewer pods of the candidate")
    add_output(parser)
    parser.add_argument(
        "--runs", default="40", metavar="N", help="canaries drawn for each question (default: 40)"
    )
    parser.add_argument("--seed", default="", help="another one draws others")
    parser.add_argument("--jobs", metavar="N", help="processes (default: one for each core)")


def plan(given: argparse.Namespace) -> int:
    """
    Read, draw, print.

    :raises CdProviderError: what was given makes no sense, or nothing can be read.
    """
    target = read_target(given)
    steps = parse_steps(_steps(given.steps), step_s=given.step_s)
    lasts = sum(step.for_s for step in steps)
    max_s = lasts + 1020.0 if given.max_s is None else seconds(given.max_s, name="--max-s")
    if max_s <= lasts:
        raise ArgumentError(f"--max-s: saw {max_s:g}, but the steps alone take {lasts:g} seconds.")
    gate, least = target.gate, whole(given.candidate_min, name="--candidate-min", least=1)
    course = Course(steps, gate.settings(max_s=max_s - gate.asking_s), least)
    runs, jobs = whole(given.runs, name="--runs", least=1), read_jobs(given.jobs)
    check_writable(given.json)
    screen = Screen(quiet=given.quiet)
    with Session(given, target, screen) as session:
        service, rates, missing = session.run(_read(session.reader, target))
    found = Found(service, course, rates)
    _draw(found, screen, runs=runs, jobs=jobs, seed=given.seed)
    if given.json != "-":
        show(screen, target, found, runs=runs, missing=missing)
    write_json(given.json, as_dict(target, found, runs=runs, missing=missing))
    return 0


def _steps(text: str) -> Any:
    return from_json(text, name="--steps") if text.lstrip().startswith("[") else text.split(",")


async def _read(reader: Reader, target: Target) -> tuple[Service, dict[str, float], list[str]]:
    """Read the last hour, and the coming one of a day and of a week ago."""
    now = await reader.now()
    service = await _service(reader, target, now - HOUR_S, now)
    if isinstance(service, str):
        raise MetricQueryError(
            f"{reader.source.name}: of {target.title} there is nothing to go by in the last hour: {service}. Expected "
            f"{target.preset.total} of {_whose(target)}; look at --namespace, --preset and the names."
        )
    rates, missing = {"as in the last hour": service.rate}, []
    for when, ago_s in SAME_HOUR.items():
        then = await _service(reader, target, now - ago_s, now - ago_s + HOUR_S)
        if isinstance(then, str):
            missing.append(f"{when}: {then}")
        else:
            rates[when] = then.rate
    return service, rates, missing


def _whose(target: Target) -> str:
    return f"pods that match {target.pattern!r}" if target.by_pod else f"the Service {target.service!r}"


async def _service(reader: Reader, target: Target, since: float, until: float) -> Service | str:
    window = await reader.window(since, until)
    if window.missing:
        return f"{window.missing} from {utc(since)} to {utc(until)} UTC"
    found = Service.of(ticks(target, window.series, window.interval_s), units=target.by_pod)
    return "no requests" if found is None else found


def _draw(found: Found, screen: Screen, *, runs: int, jobs: int, seed: str) -> None:
    service, course = found.service, found.course
    asked = {
        name: harm
        for name, harm in QUESTIONS.items()
        if harm != HEALTHY and _makes_sense(service, harm, course)
    }
    wanted = {name: one for name, one in WANTED.items() if _makes_sense(service, one[0], course)}
    total = (runs + FLOOR_RUNS) * len(asked) + runs * (len(found.rates) + tries() * len(wanted)) + FLOOR_RUNS
    with screen.bar("canaries drawn and judged", total) as bar, Work(jobs, told=bar.done) as work:
        each: Each = work.each
        for name, harm in {**asked, "like stable": HEALTHY}.items():
            fast = unlimited(service, course)
            found.floors[name] = ask(fast, harm, course, runs=FLOOR_RUNS, seed=seed, each=each)
            if harm != HEALTHY:
                found.answers[name] = ask(service, harm, course, runs=runs, seed=seed, each=each)
        for when, rate in found.rates.items():
            found.passes[when] = ask(service.at_rate(rate), HEALTHY, course, runs=runs, seed=seed, each=each)
        for name, (harm, kind) in wanted.items():
            found.shares[name] = enough(service, harm, course, kind=kind, runs=runs, seed=seed, each=each)


def _makes_sense(service: Service, harm: Harm, course: Course) -> bool:
    """Twice none is none; nobody sees how slow requests are without buckets; and what is ignored is never stopped."""
    settings = course.settings
    if harm.errors_times != 1.0:
        return service.past.errors > 0 and harm.errors_times > settings.ignore.errors
    return harm.slow_times == 1.0 or (settings.latency and len(service.past.edges) > 3)
