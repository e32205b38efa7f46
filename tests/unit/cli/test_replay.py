"""A record judged again from its file, and from the server that its counters came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cd_provider.cli.main import main
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.history import begun, history
from cd_provider.core.judge.past import look_back
from cd_provider.core.judge.record import Record
from cd_provider.core.judge.replay import replay
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge_gate import JudgeGate, judge
from tests.loopback import Answer
from tests.unit.cli.conftest import Run
from tests.unit.cli.prometheus import NOW, SCRAPE_S, Counter, Prometheus, pod

BEGAN = NOW - 3600.0
LASTED_S = 600.0
STABLE, CANDIDATE = ("s-1", "s-2", "s-3"), ("c-1", "c-2")
ABOUT = {
    "app": "shop",
    "namespace": "web",
    "workload": "deployment/shop",
    "image": "registry.example/shop",
    "tag": "v2",
}
GATE = JudgeGate.parse(judge(preset="demo"))


@cache
def counters(bad: float) -> tuple[Counter, ...]:
    """What was counted: an hour of stable, then ten minutes of both."""
    until = BEGAN + LASTED_S
    found = [pod(name, since=BEGAN - 3650, until=until, per_second=20.0, errors=0.005) for name in STABLE]
    found += [
        pod(name, since=BEGAN + 5, until=until, per_second=15.0, errors=bad, base=0.0) for name in CANDIDATE
    ]
    return tuple(series for one in found for series in one)


def as_series(counter: Counter) -> Series:
    labels, samples = counter
    side: Side = "candidate" if labels["pod"] in CANDIDATE else "stable"
    edge = float(labels["le"]) if "le" in labels else None
    return Series(str(labels), side, labels["pod"], samples, bad=labels.get("code") == "500", edge=edge)


@cache
def recorded(bad: float = 0.005) -> Record:
    """What a judge made of it."""
    every = [as_series(one) for one in counters(bad)]
    before = [
        replace(one, samples=[at for at in one.samples if BEGAN - 3600 < at[0] <= BEGAN])
        for one in every
        if one.side == "stable"
    ]
    past = look_back(history(begun(before, SCRAPE_S), SCRAPE_S))
    since = [
        replace(one, samples=[at for at in one.samples if at[0] > BEGAN - 4 * SCRAPE_S]) for one in every
    ]
    ticks = Aligner(started_at=BEGAN, interval_s=SCRAPE_S).feed(since)
    record = Record(ABOUT, GATE.as_dict(), LASTED_S, BEGAN, past, tuple(ticks))
    return replace(record, verdicts=tuple(replay(record)))


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Record], str]:
    def file(record: Record) -> str:
        path = tmp_path / "record.json"
        path.write_text(record.as_text())
        return str(path)

    return file


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main([*arguments, "-q"])
    said = capsys.readouterr()
    return code, said.out, said.err


File = Callable[[Record], str]
Capsys = pytest.CaptureFixture[str]


@pytest.mark.parametrize("bad", [0.005, 0.3], ids=["like stable", "bad"])
def test_a_record_gives_the_same_verdicts_again(file: File, capsys: Capsys, bad: float) -> None:
    record = recorded(bad)

    code, out, err = command(capsys, "replay", file(record))

    assert (code, err) == (0, "")
    assert record.verdicts[-1].line in out
    assert f"the same as recorded: {len(record.verdicts)} verdict(s)" in out
    assert "shop v2" in out


def test_a_record_that_says_something_else_is_no_success(file: File, capsys: Capsys) -> None:
    record = recorded()
    altered = replace(record, verdicts=(replace(record.verdicts[0], kind="FAIL", lane="clear errors"),))

    code, out, _ = command(capsys, "replay", file(altered))

    assert code == 1
    assert "was recorded" in out
    assert "FAIL" in out


def test_what_a_task_keeps_is_read_as_it_is_printed(tmp_path: Path, capsys: Capsys) -> None:
    path = tmp_path / "xcom"
    path.write_text(json.dumps(recorded().packed()) + "\n")

    assert command(capsys, "replay", str(path))[0] == 0


def test_the_picture_is_drawn(file: File, tmp_path: Path, capsys: Capsys) -> None:
    code, _, _ = command(capsys, "replay", file(recorded(0.3)), "--svg", str(tmp_path / "out.svg"))

    assert code == 0
    assert (tmp_path / "out.svg").read_text().startswith("<svg")


def test_machines_get_the_same(file: File, capsys: Capsys) -> None:
    code, out, _ = command(capsys, "replay", file(recorded()), "--json", "-")

    told = json.loads(out)
    assert code == 0
    assert told["same"] is True
    assert told["verdicts"] == told["recorded"] != []


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        pytest.param(b"{}", 1, "expected 'cd_provider judge record'", id="no record"),
        pytest.param(b"hello", 1, "record", id="no JSON"),
        pytest.param(b"\xff\xfe\x00", 1, "no text", id="no text"),
        pytest.param(None, 2, "cannot be read", id="no file"),
    ],
)
def test_what_is_no_record_is_said(
    tmp_path: Path, capsys: Capsys, content: bytes | None, code: int, said: str
) -> None:
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)

    ended, out, err = command(capsys, "replay", str(path))

    assert (ended, out) == (code, "")
    assert str(path) in err
    assert said in err


def test_a_gate_of_another_version_is_refused(file: File, capsys: Capsys) -> None:
    code, _, err = command(
        capsys, "replay", file(replace(recorded(), gate={**GATE.as_dict(), "preset": "linkerd"}))
    )

    assert code == 1
    assert "this version does not judge it" in err


@pytest.fixture
def full(server: Prometheus) -> Prometheus:
    server.series = list(counters(0.005))
    return server


def test_the_same_counters_give_the_same_verdicts(full: Prometheus, run: Run, file: File) -> None:
    code, out, err = run("rejudge", file(recorded()))

    assert (code, err) == (0, "")
    assert "the same as recorded" in out
    count = len(recorded().ticks)
    assert f"{count} of {count} ticks are as they were recorded" in out
    assert "the hour before" not in out


def test_samples_that_are_gone_are_named_by_side_pod_and_time(
    full: Prometheus, run: Run, file: File, tmp_path: Path
) -> None:
    gone_from = BEGAN + 300
    full.series = [
        (labels, [one for one in samples if labels["pod"] != "c-2" or one[0] < gone_from])
        for labels, samples in full.series
    ]

    code, out, _ = run("rejudge", file(recorded()))
    told = json_of(run, file, tmp_path)

    assert code == 1
    assert "candidate c-2: gone in 30 tick(s)" in out
    assert {(one["side"], one["pod"]) for one in told["gone"]} == {("candidate", "c-2")}
    assert min(told["gone"][0]["ticks"]) >= gone_from


def json_of(run: Run, file: File, tmp_path: Path) -> Any:
    run("rejudge", file(recorded()), "--json", str(tmp_path / "out.json"))
    return json.loads((tmp_path / "out.json").read_text())


def test_a_server_that_has_forgotten_all_is_no_same_verdict(server: Prometheus, run: Run, file: File) -> None:
    code, out, _ = run("rejudge", file(recorded()))

    assert code == 1
    assert "0 of" in out
    assert "none now" in out
    assert "stable s-3: gone in" in out
    assert "nothing known now" in out


def test_other_counts_are_named(full: Prometheus, run: Run, file: File, tmp_path: Path) -> None:
    full.series = [
        (
            labels,
            [
                (at, value + (30.0 if at > BEGAN + 200 and labels["pod"] == "c-1" else 0.0))
                for at, value in samples
            ],
        )
        for labels, samples in full.series
    ]

    told = json_of(run, file, tmp_path)

    assert [(one["pod"], len(one["ticks"])) for one in told["other_counts"]] == [("c-1", 1)]
    assert told["gone"] == []


def test_it_asks_for_the_records_pods_and_seconds_alone(full: Prometheus, run: Run, file: File) -> None:
    run("rejudge", file(recorded()))

    asked = [form for form in full.asked if "__name__" in form["query"]]
    assert all('pod=~"c-1|c-2|s-1|s-2|s-3"' in asked[0]["query"] for _ in asked)
    assert max(float(form["time"]) for form in asked) <= recorded().ticks[-1].at + 2 * SCRAPE_S


def test_a_record_that_does_not_say_whose_it_is_is_refused(run: Run, file: File) -> None:
    code, _, err = run("rejudge", file(replace(recorded(), about={"app": "shop"})))

    assert code == 1
    assert "namespace None and workload None" in err


def test_a_server_that_is_out_of_order_is_said(full: Prometheus, run: Run, file: File) -> None:
    full.fault = lambda request: Answer(status=500)

    code, out, err = run("rejudge", file(recorded()))

    assert (code, out) == (1, "")
    assert "status 500" in err
