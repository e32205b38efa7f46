"""The picture: what is in it for each kind of canary, and what is in none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from xml.etree import ElementTree

import pytest

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.drawing import apart, wrapped
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.picture import headline, picture
from cd_provider.core.judge.record import Record, Recorder
from cd_provider.core.judge.series import Notes, Restart
from cd_provider.core.judge.tracks import follow
from cd_provider.core.judge_gate import JudgeGate, judge
from tests.unit.core.judge.hand_made import Pod, canary, pods, usual

BEGAN = 1_764_151_234.5
GATE = JudgeGate.parse(judge(preset="demo")).as_dict()
PAST = usual()
SVG = "{http://www.w3.org/2000/svg}"


def recorded(ticks: Sequence[Tick], *, past: Past | None = None, max_s: float = 600.0) -> Record:
    known = past or PAST
    live = Judge(JudgeGate.parse(GATE).settings(max_s=max_s), began_at=BEGAN, past=known)
    about = {"app": "shop", "tag": "v2", "attempt": 1}
    recorder = Recorder(about=about, gate=GATE, max_s=max_s, began_at=BEGAN, past=known)
    for tick in ticks:
        seen = replace(tick, at=BEGAN + tick.at)
        recorder.add(seen, live.step(seen))
    return recorder.record()


def on_off(at: float) -> float:
    """Requests a second of a pod that is off traffic for a while after a trip, and had a silence later on."""
    return 0.0 if 10.0 < at <= 40.0 or 300.0 < at <= 360.0 else 10.0


MADE: dict[str, Callable[[], Record]] = {
    "passes": lambda: recorded(canary(pods(2, 5.0, 0.001), pods(3, 10.0, 0.001), upto_s=600.0)),
    "fails": lambda: recorded(canary(pods(2, 5.0, 0.02), pods(3, 10.0, 0.001), upto_s=600.0)),
    "is slow": lambda: recorded(canary(pods(2, 5.0, 0.001, 1.6), pods(3, 10.0, 0.001), upto_s=600.0)),
    "trips": lambda: recorded(canary(pods(2, 5.0, 0.3), pods(2, 5.0, 0.001), upto_s=120.0)),
    "returns": lambda: recorded(
        canary(pods(2, on_off, lambda at: 0.5 if at <= 10.0 else 0.001), pods(3, 10.0, 0.001), upto_s=600.0)
    ),
    "one pod": lambda: recorded(
        canary([Pod(5.0, 0.06), *pods(2, 5.0, 0.001)], pods(3, 10.0, 0.001), upto_s=600.0)
    ),
    "no traffic": lambda: recorded(canary(pods(2, 0.0), pods(3, 10.0, 0.001), upto_s=600.0)),
    "no errors": lambda: recorded(canary(pods(2, 5.0), pods(3, 10.0), upto_s=600.0)),
    "no latency": lambda: recorded([bare(tick) for tick in canary(pods(2, 5.0, 0.001), pods(3, 10.0), upto_s=60.0)]),
    "nothing yet": lambda: recorded([]),
    "one tick": lambda: recorded(canary(pods(1, 5.0, 0.1), pods(1, 10.0), upto_s=5.0)),
}  # fmt: skip


def bare(tick: Tick) -> Tick:
    def side(pods: object) -> dict[str, Counts]:
        return {pod: one.bare for pod, one in pods.items()}  # type: ignore[attr-defined]

    return replace(tick, candidate=side(tick.candidate), stable=side(tick.stable), edges=())


@cache
def made(name: str) -> Record:
    return MADE[name]()


@cache
def drawn(name: str, *, pods: bool = False) -> str:
    return picture(made(name), pods=pods)


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def titles(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter(f"{SVG}title")]


@dataclass(frozen=True)
class Written:
    """Where a text is, as wide as letters are as a rule."""

    words: str
    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: Written) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def written(svg: str) -> Iterator[Written]:
    for one in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        words, size = one.text or "", float(one.get("font-size", ""))
        wide, x, y = len(words) * size * 0.55, float(one.get("x", "")), float(one.get("y", ""))
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[one.get("text-anchor", "start")]
        yield Written(words, left, left + wide, y - size * 0.75, y + size * 0.2)


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("pods", [False, True], ids=["whole", "pods"])
def test_no_words_meet_and_all_are_on_the_card_and_large_enough(name: str, *, pods: bool) -> None:
    svg = drawn(name, pods=pods)
    root, seen = ElementTree.fromstring(svg), list(written(svg))
    wide, high = float(root.get("width", "")), float(root.get("height", ""))

    assert wide == 900
    assert [(one.words, other.words) for one, other in combinations(seen, 2) if one.meets(other)] == []
    outside = [
        one for one in seen if one.left < 4 or one.right > wide - 2 or one.top < 4 or one.bottom > high
    ]
    assert outside == []
    assert min(float(one.get("font-size", "")) for one in root.iter(f"{SVG}text")) >= 12


@pytest.mark.parametrize("name", MADE)
def test_nothing_is_drawn_off_the_card(name: str) -> None:
    root = ElementTree.fromstring(drawn(name, pods=True))
    high = float(root.get("height", ""))
    corners = [
        tuple(map(float, corner.split(",")))
        for shape in ("polyline", "polygon")
        for one in root.iter(f"{SVG}{shape}")
        for corner in one.get("points", "").split()
    ]

    assert all(0 <= x <= 900 and 0 <= y <= high for x, y in corners)


@pytest.mark.parametrize(
    "name", [name for name in MADE if name not in ("nothing yet", "one tick", "no latency")]
)
def test_each_verdict_is_marked_with_its_sentence(name: str) -> None:
    record, svg = made(name), drawn(name)

    assert record.verdicts
    assert titles(svg)[0] == record.verdicts[-1].line
    for judged in record.verdicts:
        assert judged.line in titles(svg)
        assert f"{judged.kind.replace('_', ' ')} {int(judged.at) // 60}:{int(judged.at) % 60:02}" in texts(
            svg
        )


def test_the_sentence_is_written_unless_it_stands_elsewhere() -> None:
    record = made("fails")
    begin = record.verdicts[-1].line[:40]

    assert any(begin in one for one in texts(drawn("fails")))
    assert not any(begin in one for one in texts(picture(record, sentence=False)))


@pytest.mark.parametrize(
    ("name", "there"),
    [
        pytest.param("fails", "Errors, times stable's share in the same seconds: ", id="ratio"),
        pytest.param(
            "no errors", "Errors, share of the candidate's requests: 0 % at the end (up to ", id="share"
        ),
        pytest.param(
            "no traffic", "Errors, share of the candidate's requests: nothing to compare", id="nothing"
        ),
        pytest.param("is slow", "Latency, times stable's in the same seconds: 1.5", id="latency"),
        pytest.param("one pod", "Each candidate pod alone: errors, times stable's", id="pods"),
        pytest.param("one pod", "clear errors without c0", id="without the pod"),
        pytest.param("one pod", "c0: ", id="its ratio"),
        pytest.param("returns", "off traffic after a trip", id="away"),
        pytest.param("returns", "no requests to the candidate", id="gap"),
        pytest.param("no traffic", "no requests to the candidate", id="no requests"),
        pytest.param("nothing yet", "Nothing was judged yet.", id="nothing judged"),
    ],
)
def test_it_shows_what_happened(name: str, there: str) -> None:
    assert any(one.startswith(there) for one in texts(drawn(name)))


def test_what_did_not_happen_is_not_in_it() -> None:
    words = "\n".join(texts(drawn("passes")))

    assert "off traffic" not in words
    assert "no requests" not in words
    assert "counters began anew" not in words
    assert "Each candidate pod" not in words
    assert "Latency" not in "\n".join(texts(drawn("no latency")))
    assert "decides otherwise" not in words


def test_the_time_off_traffic_and_a_silence_are_told_apart() -> None:
    gaps = follow(made("returns")).gaps

    assert [(gap.begin, gap.end, gap.away) for gap in gaps] == [(10.0, 40.0, True), (300.0, 360.0, False)]


def test_a_service_with_few_requests_is_not_full_of_gaps() -> None:
    seen = recorded(canary(pods(1, 0.04, 0.0), pods(1, 1.0, 0.001), upto_s=600.0))

    assert follow(seen).gaps == []


def test_bands_begin_anew_after_the_warm_up() -> None:
    points = follow(made("returns")).points
    before = [one.errors.middle for one in points if one.errors and one.at <= 180.0]
    after = [one.errors.middle for one in points if one.errors and one.at > 180.0]

    assert before[-1] > 4.0
    assert after[-1] < 2.0
    assert any(one.errors is None for one in points if 180.0 < one.at < 200.0)


def test_restarts_and_what_was_odd_or_cut_are_told() -> None:
    seen = replace(
        made("passes"),
        restarts=(Restart(BEGAN + 65.0, "c1"),),
        notes=Notes(resets=18, late=2),
        cut="latencies of the first 30 of 120 ticks left out",
    )
    svg = picture(seen)

    assert "c1: counters began anew, 00:01:05" in titles(svg)
    foot = " ".join(texts(svg))
    assert "18 counter reset(s), 2 late sample(s)" in foot
    assert "latencies of the first 30 of 120 ticks left out" in foot


def test_a_judge_that_decides_otherwise_today_says_so() -> None:
    seen = made("fails")
    changed = replace(seen.verdicts[0], line="FAIL as it was told then")

    assert "this version of the judge decides otherwise" in " ".join(
        texts(picture(replace(seen, verdicts=(changed,))))
    )


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    evil = "</text><script>alert('x')</script>"
    tick = canary(pods(1, 5.0, 0.1), pods(1, 5.0), upto_s=60.0)
    seen = recorded([replace(one, candidate={evil: one.candidate["c0"]}) for one in tick])
    seen = replace(
        seen, about={"app": evil, "tag": evil}, gate={**seen.gate, "name": evil}, cut=evil,
        restarts=(Restart(BEGAN + 5.0, evil),),
    )  # fmt: skip

    svg = picture(seen, pods=True)

    kinds = {one.tag.removeprefix(SVG) for one in ElementTree.fromstring(svg).iter()}
    assert kinds <= {"svg", "title", "rect", "text", "line", "polyline", "polygon", "circle", "g"}
    assert evil in " ".join(titles(svg))


def test_the_headline_of_a_canary_that_goes_on_says_how_long() -> None:
    assert headline(made("one tick")) == "no verdict so far, after 00:00:05"
    assert headline(made("nothing yet")) == "no verdict so far, after 00:00:00"


def test_labels_that_would_meet_move_apart_in_their_order() -> None:
    assert apart([10.0, 12.0, 50.0], least=15.0, low=0.0, high=100.0) == [10.0, 25.0, 50.0]
    assert apart([99.0, 98.0], least=15.0, low=0.0, high=100.0) == [100.0, 85.0]


def test_a_long_sentence_is_broken_and_ends_with_an_ellipsis() -> None:
    lines = wrapped("word " * 100, width=100, size=12, most=2)

    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert max(map(len, lines)) <= 14
