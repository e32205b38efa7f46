"""Which judge the arguments speak of."""

from __future__ import annotations

import argparse

import pytest

from cd_provider.cli.target import add_target, read_target
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.exceptions import ArgumentError


def gate(*arguments: str) -> JudgeGate:
    """Read a judge from a command line."""
    parser = argparse.ArgumentParser()
    add_target(parser)
    return read_target(
        parser.parse_args(["-n", "web", "--workload", "shop", "--preset", "demo", *arguments])
    ).gate


def test_one_of_three_judges_has_a_third_of_the_chance_to_be_wrong() -> None:
    alone, together = gate().settings(max_s=900.0), gate("--among", "3").settings(max_s=900.0)

    assert together.alpha == pytest.approx(alone.alpha / 3.0)


@pytest.mark.parametrize("among", ["0", "1.5", "all"])
def test_a_number_of_judges_is_a_whole_one(among: str) -> None:
    with pytest.raises(ArgumentError, match="--among") as error:
        gate("--among", among)

    assert among in str(error.value)
