from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.canary_bench.families import FAMILIES, NODE
from benchmarks.canary_bench.family import Common, Incident, PodNoise
from benchmarks.canary_bench.generate import grid, make_pods
from benchmarks.canary_bench.regressions import HEALTHY
from benchmarks.canary_bench.surroundings import Array, conditions, happenings, hit, inside, lognormal, wander

IDEAL = FAMILIES["ideal"]
ENDS = grid(5.0, 1, 360)


def rng() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(1))


def test_noise_wanders_with_the_variance_and_the_memory_that_it_was_given() -> None:
    rows = wander(rng(), 4_000, 20, corr=12.0)

    assert rows.std() == pytest.approx(1.0, abs=0.05)
    assert np.mean(rows[12:] * rows[:-12]) == pytest.approx(1 / math.e, abs=0.06)


def test_a_factor_is_one_on_average() -> None:
    assert lognormal(rng().standard_normal(200_000), 0.5).mean() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        pytest.param(5, 10, [0, 1, 0, 0], id="one tick"),
        pytest.param(4, 12, [0.2, 1, 0.4, 0], id="parts of two more"),
        pytest.param(-9, 99, [1, 1, 1, 1], id="all of it"),
        pytest.param(30, 40, [0, 0, 0, 0], id="none of it"),
    ],
)
def test_an_incident_has_its_share_of_each_tick(begin: float, end: float, expected: list[float]) -> None:
    assert inside(begin, end, grid(5.0, 1, 4), 5.0).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("incident", "pods"),
    [
        pytest.param(Incident(on="both", for_s=60), {6}, id="everybody"),
        pytest.param(Incident(on="pod", for_s=60), {1}, id="one pod"),
        pytest.param(Incident(on="candidate", for_s=60), {3}, id="a side"),
        pytest.param(replace(NODE, on="stable"), {2}, id="two of a side"),
        pytest.param(replace(NODE, pods=None), {3}, id="either side"),
    ],
)
def test_an_incident_hits_as_many_pods_as_it_says(incident: Incident, pods: set[int]) -> None:
    numbers, all_pods = rng(), make_pods(rng(), IDEAL)
    drawn = [hit(numbers, incident, all_pods) for _ in range(40)]

    assert {int(whom.sum()) for whom in drawn} == pods
    sides = {tuple(sorted(set(all_pods.is_candidate[whom].tolist()))) for whom in drawn}
    expected = {"both": {(False, True)}, "candidate": {(True,)}, "stable": {(False,)}}
    assert sides == expected.get(incident.on, {(True,), (False,)})


def test_an_incident_that_is_always_of_the_same_pod_stays_there() -> None:
    incident = Incident(on="pod", for_s=20.0, every_s=60.0, same=True)

    drawn = list(happenings(rng(), incident, make_pods(rng(), IDEAL), ENDS, 5.0))

    assert len(drawn) == pytest.approx(30, abs=15)
    assert len({tuple(np.flatnonzero(each.there.any(axis=0))) for each in drawn}) == 1


def made(**changes: object) -> tuple[Array, Array, Array]:
    family = replace(IDEAL, **changes)  # type: ignore[arg-type]
    found = conditions(rng(), family, HEALTHY, make_pods(rng(), family), ENDS)
    return found.rate, found.errors, found.slow


def test_common_noise_is_the_same_at_every_pod_and_pod_noise_is_not() -> None:
    for values in made(common=Common(load_sd=0.2, errors_sd=0.5, slow_sd=0.1)):
        assert np.allclose(values, values[:, :1])
        assert values.std() > 0
    _, errors, slow = made(pod=PodNoise(errors_sd=0.5, errors_lasting=0.1, slow_sd=0.05, slow_lasting=0.01))
    assert not np.allclose(errors[:, 0], errors[:, 1])
    assert np.log(errors).std() == pytest.approx(0.51, abs=0.15)
    assert np.log(slow).std() == pytest.approx(0.051, abs=0.015)


def test_drift_grows_load_and_latency_over_the_run() -> None:
    rate, errors, slow = made(common=Common(drift=0.3))

    assert rate[-1, 0] / rate[0, 0] == pytest.approx(1.3)
    assert slow[-1, 0] / slow[0, 0] == pytest.approx(1.3)
    assert np.allclose(errors, 0.001)


def test_a_share_of_errors_cannot_pass_one() -> None:
    outage = Incident(on="both", for_s=600.0, errors_times=5_000.0)

    assert made(incidents=(outage,))[1].max() == 1.0
