from __future__ import annotations

import pytest

from cd_provider.core.traffic import Step, Weights, parse_steps, templated
from cd_provider.exceptions import ArgumentError


def test_a_step_may_set_its_own_time() -> None:
    steps = parse_steps([5, "25", {"weight": 50, "for_s": "2m"}], step_s="60")

    assert steps == (Step(5, 60), Step(25, 60), Step(50, 120))


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param([], "expected a list of weights", id="none"),
        pytest.param("5,25", "expected a list of weights", id="text"),
        pytest.param([25, 5], "rising", id="falling"),
        pytest.param([5, 5], "rising", id="twice"),
        pytest.param([0, 5], "from 1 to 100", id="zero"),
        pytest.param([5, 120], "from 1 to 100", id="over-100"),
        pytest.param([5, {"weigth": 50}], "weigth", id="misspelt"),
        pytest.param([{"for_s": 5}], "no weight", id="no-weight"),
        pytest.param([{"weight": 5, "for_s": 0}], "for_s", id="no-time"),
    ],
)
def test_steps_of_another_form_are_refused(steps: object, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        parse_steps(steps, step_s=60)


@pytest.mark.parametrize("candidate", [0, 1, 37, 100])
def test_weights_are_always_100_together(candidate: int) -> None:
    weights = Weights.of(candidate)

    assert weights.stable + weights.candidate == 100


def test_a_template_anywhere_inside_is_noticed() -> None:
    assert templated({"a": [1, {"b": "{{ params.x }}"}]})
    assert not templated({"a": [1, {"b": "x"}]})
