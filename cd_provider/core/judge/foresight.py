"""
What a judge can see at a service's traffic, before there is a candidate.

No formula: canaries are drawn whose stable and candidate are like the service's own last hour (rate, error share,
errors that come together, how far pods differ, latency buckets), and the judge itself is asked about each. What it
says of these it says of real ones, as far as the next hour is like the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from cd_provider.core.judge.draws import Draws
from cd_provider.core.judge.reasons import needed
from cd_provider.core.judge.service import HEALTHY, Harm, Service, World
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.trial import Ended, Trial
from cd_provider.core.traffic import Step
from cd_provider.core.workload import candidate_replicas

UNLIMITED = 5_000.0  # candidate requests per second, where traffic is no limit
SHARES = (1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 40, 50)  # per cent, that are tried
MOST = 0.8  # of the canaries have to be decided for a share to be enough


@dataclass(frozen=True)
class Course:
    """
    How a canary would go.

    :param steps: weights in per cent and their seconds; the last is kept until there is a verdict.
    :param candidate_min: never fewer pods of the candidate than this.
    """

    steps: tuple[Step, ...]
    settings: JudgeSettings
    candidate_min: int = 1

    def pods(self, service: Service, step: Step) -> int:
        """Size the candidate as a canary does; where pods are not told apart, it is one."""
        if not service.units:
            return 1
        return candidate_replicas(service.pods, weight=step.weight, least=self.candidate_min)

    def at(self, weight: int) -> Course:
        """Give the same at one weight from beginning to end."""
        return Course((Step(weight, 1.0),), self.settings, self.candidate_min)


@dataclass(frozen=True, slots=True)
class Drawn:
    """
    One canary that was drawn.

    :param need: candidate requests that a PASS would have taken, where it ended without one; else 0.
    """

    ended: Ended
    need: float = 0.0


@dataclass(frozen=True)
class Answer:
    """
    What became of a number of canaries of one kind.

    :param drawn: each of them.
    """

    drawn: tuple[Drawn, ...]

    def decided(self, kind: str) -> tuple[Drawn, ...]:
        """Give those that ended so."""
        return tuple(one for one in self.drawn if one.ended.kind == kind)

    def share(self, kind: str) -> float:
        """Give their share, 0–1."""
        return len(self.decided(kind)) / len(self.drawn) if self.drawn else 0.0

    def after_s(self, kind: str) -> float | None:
        """Give the median second at which those ended that ended so; None: none did."""
        found = [one.ended.at for one in self.decided(kind)]
        return median(found) if found else None

    @property
    def off_share(self) -> float:
        """The share that was taken off traffic as bad: tripped or failed, 0–1."""
        return len(self._off()) / len(self.drawn) if self.drawn else 0.0

    @property
    def off_s(self) -> float | None:
        """The median second at which those were taken off traffic as bad; None: none was."""
        return median(found) if (found := self._off()) else None

    @property
    def need(self) -> float:
        """About how many candidate requests a PASS takes, by those that ended without a verdict; 0: all had one."""
        found = [one.need for one in self.drawn if one.need]
        return median(found) if found else 0.0

    def _off(self) -> list[float]:
        return [
            one.ended.off_s
            for one in self.drawn
            if one.ended.off_s is not None and (one.ended.trips or one.ended.kind == "FAIL")
        ]


@dataclass(frozen=True)
class Ticket:
    """One canary to be drawn: small, so that it may go to another process."""

    service: Service
    harm: Harm
    course: Course
    seed: str


Each = Callable[[Callable[[Ticket], Drawn], Iterable[Ticket]], Iterable[Drawn]]
"""How canaries are drawn one by one: ``map``, or the same of a pool of processes; in order."""


def draw(ticket: Ticket) -> Drawn:
    """Draw one canary, and judge it to its end."""
    service, course = ticket.service, ticket.course
    world = World(service, ticket.harm, course.settings, Draws(ticket.seed))
    trial = Trial(course.settings, past=service.past, pods=course.pods(service, course.steps[-1]))
    number, step_began, at = 0, 0.0, 0.0
    while at < course.settings.max_s + 2 * service.interval_s:
        at += service.interval_s
        step = course.steps[number]
        weight = 0.0 if at - service.interval_s < trial.back_at - 1e-9 else step.weight / 100.0
        judged = trial.step(world.tick(at, weight, course.pods(service, step)))
        if ended := trial.ended():
            return Drawn(ended, needed(trial.judge) if ended.kind == "INCONCLUSIVE" else 0.0)
        if judged is not None and judged.kind == "TRIP":
            number, step_began = 0, trial.back_at  # it returns to the first step
        elif number + 1 < len(course.steps) and at >= step_began + step.for_s and trial.judge.calm(at):
            number, step_began = number + 1, at
    return Drawn(Ended("INCONCLUSIVE", at, trial.off_s, len(trial.judge.trips), "", trial.seen))


def ask(
    service: Service, harm: Harm, course: Course, *, runs: int, seed: str = "", each: Each = map
) -> Answer:
    """Draw so many canaries of one kind; the same seed gives the same answer."""
    tickets = (Ticket(service, harm, course, f"{seed}/{harm}/{number}") for number in range(runs))
    return Answer(tuple(each(draw, tickets)))


def unlimited(service: Service, course: Course) -> Service:
    """Give the service with so much traffic that only the judge's own times are left: the floor."""
    least = course.steps[0].weight / 100.0
    return service.at_rate(max(service.rate, UNLIMITED / least))


@dataclass(frozen=True)
class Enough:
    """
    How much of the traffic decides in time.

    :param weight: per cent; None: half of it does not.
    :param share: of the canaries that were decided with it, 0–1.
    """

    weight: int | None
    share: float


def enough(
    service: Service, harm: Harm, course: Course, *, kind: str, runs: int, seed: str = "", each: Each = map
) -> Enough:
    """
    Find the least share of traffic with which four in five end so before ``max_s``.

    :param kind: ``PASS``, or ``FAIL`` (taken off traffic as bad).

    It is looked for by halves, ``tries()`` times: more traffic decides sooner, but for chance.
    """
    low, high, best = 0, len(SHARES), Enough(None, 0.0)
    while low < high:
        middle = (low + high) // 2
        answer = ask(service, harm, course.at(SHARES[middle]), runs=runs, seed=seed, each=each)
        share = answer.off_share if kind == "FAIL" else answer.share(kind)
        if share >= MOST:
            high, best = middle, Enough(SHARES[middle], share)
        else:
            low = middle + 1
            best = best if best.weight is not None else Enough(None, share)
    return best


def tries(shares: Sequence[int] = SHARES) -> int:
    """Say how many shares are tried at most."""
    return math.ceil(math.log2(len(shares) + 1))


QUESTIONS: dict[str, Harm] = {
    "every request fails": Harm(errors_to=1.0),
    "5 % of requests fail": Harm(errors_to=0.05),
    "10x the errors": Harm(errors_times=10.0),
    "2x the errors": Harm(errors_times=2.0),
    "50 % slower": Harm(slow_times=1.5),
    "25 % slower": Harm(slow_times=1.25),
    "like stable": HEALTHY,
}
