"""Whatever little was seen of a canary, judging and drawing it breaks on nothing."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.picture import picture
from tests.unit.core.judge.hand_made import EDGES, usual
from tests.unit.core.judge.test_picture import recorded

# pods that have never differed, so that chance stands alone
ALIKE = replace(usual(), scores_differ=(0.0,) * 3)
PASTS = [Past(), usual(), usual(0.2), usual(0.0), ALIKE]


@st.composite
def counts(draw: st.DrawFn, slow: st.SearchStrategy[list[int]]) -> Counts:
    """A pod's few requests, of which some or all fail."""
    found = draw(slow)
    return Counts(sum(found), draw(st.integers(0, sum(found))), tuple(map(float, found)))


@st.composite
def canaries(draw: st.DrawFn) -> list[Tick]:
    """A few ticks of some of these pods; all requests are as fast, or are not."""
    only = draw(st.none() | st.integers(0, len(EDGES) - 1))
    slow = st.tuples(*[st.integers(0, 0 if only not in (None, at) else 5) for at in range(len(EDGES))]).map(
        list
    )
    ours, theirs = (
        st.dictionaries(st.sampled_from(names), counts(slow), max_size=len(names))
        for names in (("c1", "c2", "c3"), ("s1", "s2"))
    )
    seen = draw(st.lists(st.tuples(ours, theirs), min_size=1, max_size=14))
    return [Tick(5.0 * number, 5.0, *sides, EDGES) for number, sides in enumerate(seen, start=1)]


@settings(max_examples=150)
@given(ticks=canaries(), past=st.sampled_from(PASTS))
def test_any_small_canary_is_judged_and_drawn(ticks: list[Tick], past: Past) -> None:
    drawn = picture(recorded(ticks, past=past, max_s=70.0), pods=True)

    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "nan" not in drawn
