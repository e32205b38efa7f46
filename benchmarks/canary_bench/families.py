"""The families: fifteen to choose numbers on, seven that were written later, fifteen of small services and outages."""

from __future__ import annotations

from benchmarks.canary_bench.family import Cold, Common, Family, Incident, PodNoise, Retries

MILD = PodNoise(errors_sd=0.2, errors_lasting=0.05, slow_sd=0.02, slow_lasting=0.005, corr_s=60.0)
HEAVY = PodNoise(errors_sd=0.5, errors_lasting=0.10, slow_sd=0.05, slow_lasting=0.01, corr_s=120.0)
SHOCKS = Common(load_sd=0.2, errors_sd=0.5, slow_sd=0.10, drift=0.3)
INCIDENT = Incident(on="both", for_s=60.0, every_s=900.0, errors_times=20.0, slow_times=1.5)
NEIGHBOUR = Incident(on="pod", for_s=90.0, every_s=900.0, errors_times=30.0, slow_times=2.0)
NOISY_POD = Incident(on="pod", same=True, for_s=20.0, every_s=180.0, errors_times=10.0, slow_times=1.3)
NODE = Incident(on="either", pods=2, for_s=90.0, errors_times=20.0, slow_times=1.5)
LONG_POD = Incident(on="pod", for_s=300.0, errors_times=20.0, slow_times=1.5)
SPIKE = Incident(on="both", for_s=30.0, every_s=180.0, load_times=5.0, errors_times=2.0, slow_times=1.3)
SLOW_RAMP = ((0.0, 0.01), (300.0, 0.05), (600.0, 0.10), (900.0, 0.25))

FIRST = (
    Family(name="ideal", number=1),
    Family(name="shocks", number=2, common=SHOCKS, incidents=(INCIDENT,)),
    Family(name="pods-mild", number=3, pod=MILD),
    Family(name="pods-heavy", number=4, pod=HEAVY),
    Family(name="retries", number=5, pod=MILD, retries=Retries()),
    Family(name="noisy-neighbour", number=6, pod=MILD, incidents=(NEIGHBOUR,), one_sided=True),
    Family(name="cold-fresh", number=7, pod=MILD, cold=Cold()),
    Family(name="cold-stable", number=8, pod=MILD, cold=Cold(), fresh=False, stable_pods=6),
    Family(name="rps-2", number=9, pod=MILD, rate=2.0),
    Family(name="rps-1", number=10, pod=MILD, rate=1.0, fresh=False),
    Family(name="rps-10k", number=11, pod=MILD, common=SHOCKS, rate=10_000.0),
    Family(name="rps-5k-heavy", number=12, pod=HEAVY, common=SHOCKS, rate=5_000.0),
    Family(name="one-pod-1pct", number=13, pod=MILD, candidate_pods=1, steps=((0.0, 0.01),), fresh=False),
    Family(name="one-noisy-pod", number=14, pod=MILD, incidents=(NOISY_POD,), one_sided=True),
    Family(name="lost-restarts", number=15, pod=MILD, lost=0.05, restarts_per_h=2.0),
)
LATER = (
    Family(name="H-ramp", number=16, pod=MILD, steps=SLOW_RAMP, fresh=False),
    Family(name="H-node", number=17, pod=MILD, candidate_pods=4, stable_pods=4, incidents=(NODE,), one_sided=True),
    Family(
        name="H-long-noise", number=18, candidate_pods=8, stable_pods=8,
        pod=PodNoise(errors_sd=0.3, errors_lasting=0.05, slow_sd=0.03, slow_lasting=0.005, corr_s=300.0),
    ),
    Family(name="H-spiky", number=19, pod=MILD, common=Common(load_sd=0.5, slow_sd=0.05), incidents=(SPIKE,)),
    Family(name="H-15s", number=20, pod=MILD, common=SHOCKS, interval_s=15.0),
    Family(name="H-pod-5min", number=21, pod=MILD, incidents=(LONG_POD,), one_sided=True),
    Family(name="H-half", number=22, pod=MILD, steps=((0.0, 0.5),), fresh=False),
)  # fmt: skip


def _small(name: str, number: int, retries: Retries) -> Family:
    return Family(
        name=name, number=number, rate=50.0, errors=0.005, fresh=False, interval_s=1.0, retries=retries
    )


def _broken(name: str, number: int, *, for_s: float, pods: int) -> Family:
    """One of the candidate's pods answers with errors for a while, then does not any more."""
    outage = Incident(on="candidate", pods=1, for_s=for_s, errors_to=(0.5, 1.0))
    return Family(
        name=name, number=number, rate=50.0, fresh=False, candidate_pods=pods, incidents=(outage,), one_sided=True,
        interval_s=1.0 if for_s < 60.0 else 5.0,
    )  # fmt: skip


def _one_and_three(name: str, number: int, errors: float) -> Family:
    return Family(name=name, number=number, pod=MILD, candidate_pods=1, fresh=False, errors=errors)


def _shop(name: str, number: int, rate: float) -> Family:
    """The canary of the README's Dag: 5, 25 and 50 %; the last weight is held until there is a verdict."""
    steps = ((0.0, 0.05), (60.0, 0.25), (120.0, 0.50))
    return Family(name=name, number=number, rate=rate, steps=steps, fresh=False, pod=MILD, errors=0.005)


STABLE_OUT = Incident(on="stable", for_s=60.0, errors_to=(0.5, 1.0))
ONE_SIDE_FIRST = Incident(on="either", for_s=60.0, errors_to=(0.5, 1.0), lead_s=10.0)
SMALL = (
    _small("retries-1s", 23, Retries(within_s=1.0)),
    _small("retries-3s", 24, Retries(within_s=3.0)),
    _broken("pod-out-5s", 25, for_s=5.0, pods=3),
    _broken("pod-out-20s", 26, for_s=20.0, pods=3),
    _broken("pod-out-60s", 27, for_s=60.0, pods=3),
    _broken("only-pod-out-5s", 28, for_s=5.0, pods=1),
    _broken("only-pod-out-20s", 29, for_s=20.0, pods=1),
    _broken("only-pod-out-60s", 30, for_s=60.0, pods=1),
    Family(name="stable-out", number=31, pod=MILD, fresh=False, incidents=(STABLE_OUT,)),
    _one_and_three("one-and-three-0.1", 32, 0.001),
    _one_and_three("one-and-three-0.5", 33, 0.005),
    _one_and_three("one-and-three-2", 34, 0.02),
    Family(name="one-side-first", number=35, pod=MILD, fresh=False, incidents=(ONE_SIDE_FIRST,), one_sided=True),
    _shop("shop-50", 36, 50.0),
    _shop("shop-200", 37, 200.0),
)  # fmt: skip
QUICK = (
    Family(name="direct-0", number=38, rate=50.0, errors=0.0, fresh=False, interval_s=1.0),
    Family(name="direct-0.5", number=39, rate=50.0, errors=0.005, fresh=False, interval_s=1.0),
)
"""Read once a second, five requests a second at the candidate; run when asked for."""
FAMILIES = {one.name: one for one in (*FIRST, *LATER, *SMALL, *QUICK)}
DEFAULT = tuple(one.name for one in (*FIRST, *LATER, *SMALL))
