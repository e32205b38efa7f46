"""Chances of counts: against values that another library gave, and against what holds of every one of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.tails import beta, mixture, normal, poisson

whole = st.integers(1, 60)
shares = st.floats(0.001, 0.999)


@pytest.mark.parametrize(
    ("x", "a", "b", "exact"),
    [
        (0.1, 3.0, 18.0, 0.32307319481053404),
        (0.5, 2.5, 7.25, 0.9484768697804318),
        (0.9, 40.0, 2.0, 0.07390441470717302),
        (0.02, 60.0, 1941.0, 0.0016918398378680702),
        (0.3, 0.001, 2.0, 0.9994959094063248),
        (0.25, 0.5, 0.5, 1.0 / 3.0),
        (0.999, 1.0, 1.0, 0.999),
        (0.05, 400.0, 6000.0, 5.2030890363777105e-06),
        (0.012, 12000.0, 990000.0, 0.5883315807732424),
    ],
)
def test_beta_is_what_scipy_says(x: float, a: float, b: float, exact: float) -> None:
    assert beta(x, a, b) == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize(
    ("count", "mean", "exact"),
    [
        (1.0, 0.001, 0.0009995001666250082),
        (5.0, 0.4, 6.12433271023338e-05),
        (3.5, 2.0, 0.22022259152428406),
        (0.25, 0.1, 0.608338845728966),
        (10.0, 25.0, 0.9997785233617512),
        (100.0, 60.0, 1.4815276326460494e-06),
        (1000.0, 900.0, 0.0005499022657117818),
        (5000.0, 5200.0, 0.9974151865046462),
        (20.0, 0.001, 4.10640490283015e-79),
    ],
)
def test_poisson_is_what_scipy_says(count: float, mean: float, exact: float) -> None:
    assert poisson(count, mean) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("mean", [690.0, 705.0, 709.5, 712.0, 745.0, 5000.0, 1e6, 1e9])
def test_far_more_expected_than_seen_is_a_chance_of_one_and_no_overflow(mean: float) -> None:
    assert poisson(1.0, mean) == pytest.approx(1.0)
    assert poisson(mean / 2.0, mean) == pytest.approx(1.0)


@settings(deadline=None, max_examples=50)
@given(whole, whole, shares)
def test_beta_is_the_sum_of_binomial_chances(k: int, more: int, share: float) -> None:
    n = k + more - 1
    exact = math.fsum(math.comb(n, i) * share**i * (1.0 - share) ** (n - i) for i in range(k, n + 1))

    assert beta(share, float(k), float(n - k + 1)) == pytest.approx(exact, rel=1e-9, abs=1e-15)


@settings(deadline=None, max_examples=50)
@given(whole, st.floats(0.01, 80.0))
def test_poisson_is_the_sum_of_its_chances(k: int, mean: float) -> None:
    below = math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(k))

    assert poisson(float(k), mean) == pytest.approx(1.0 - below, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(shares, st.floats(0.05, 500.0), st.floats(0.05, 500.0))
def test_beta_and_its_mirror_make_one(x: float, a: float, b: float) -> None:
    assert beta(x, a, b) + beta(1.0 - x, b, a) == pytest.approx(1.0, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(shares, st.floats(0.5, 200.0), st.floats(0.5, 200.0), st.floats(1.01, 3.0))
def test_more_of_them_are_less_likely_and_a_higher_share_makes_them_likelier(
    x: float, a: float, b: float, times: float
) -> None:
    assert beta(x, a * times, b) <= beta(x, a, b) + 1e-12
    assert beta(min(1.0, x * times), a, b) >= beta(x, a, b) - 1e-12
    assert poisson(a * times, b) <= poisson(a, b) + 1e-12
    assert poisson(a, b * times) >= poisson(a, b) - 1e-12


def test_the_ends_are_exact() -> None:
    assert (beta(0.0, 2.0, 3.0), beta(1.0, 2.0, 3.0)) == (0.0, 1.0)
    assert (beta(-0.1, 2.0, 3.0), beta(1.1, 2.0, 3.0)) == (0.0, 1.0)
    assert (poisson(0.0, 3.0), poisson(0.0, 0.0), poisson(1.0, 0.0)) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("z", "exact"),
    [(-8.0, 6.220960574271785e-16), (-2.5, 0.006209665325776132), (0.0, 0.5), (1.96, 0.9750021048517795)],
)
def test_the_normal_chance_is_exact_in_the_far_tail_too(z: float, exact: float) -> None:
    assert normal(z) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    ("total", "variance", "prior"),
    [(0.0, 0.0, 1.0), (10.0, 25.0, 25.0), (-5.0, 10.0, 4.0), (40.0, 100.0, 50.0), (3.0, 0.0, 2.0)],
)
def test_the_mixture_is_the_mean_over_drifts_of_their_likelihood_ratios(
    total: float, variance: float, prior: float
) -> None:
    """By brute force: a half-normal number of drifts, each with its ratio ``exp(drift * total - …)``."""
    sd, steps = 1.0 / math.sqrt(prior), 8_000
    width = 12.0 * sd / steps

    def weighed(drift: float) -> float:
        density = 2.0 / (sd * math.sqrt(2.0 * math.pi)) * math.exp(-0.5 * (drift / sd) ** 2)
        return density * math.exp(drift * total - drift * drift * variance / 2.0)

    exact = width * math.fsum(weighed((step + 0.5) * width) for step in range(steps))
    assert mixture(total, variance, prior) == pytest.approx(exact, rel=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.floats(-200.0, 200.0), st.floats(0.0, 1e4), st.floats(1.0, 1e4), st.floats(0.01, 50.0))
def test_the_mixture_grows_with_the_sum_and_stays_finite(
    total: float, variance: float, prior: float, more: float
) -> None:
    found = mixture(total, variance, prior)

    assert 0.0 <= found <= mixture(total + more, variance, prior)
    assert math.isfinite(mixture(1e9, variance, prior))
