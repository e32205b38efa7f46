"""A judge's verdict under a real Airflow: kept beside the canary's task, shown in the UI, for those who may read it."""

from __future__ import annotations

import httpx

from cd_provider.core.judge.record import Record
from cd_provider.core.judge.replay import replay
from tests.integration.airflow_runs import Delivery, Start, wait
from tests.stack.load import Load


def shown(run: Delivery, *, token: str | None) -> httpx.Response:
    """Ask for what the button leads to."""
    link = run.airflow.api().extra_links(run.dag_id, run.run_id, "shop.canary")["Verdict"]
    assert link, "the button leads nowhere"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(link, headers=headers, timeout=60, trust_env=False, verify=False)


def test_a_bad_candidates_verdict_is_kept_replays_and_is_shown(start: Start, load: Load, bad: str) -> None:
    run = start(bad, dag_id="judged", step_s=60)
    run.on_traffic()
    assert run.airflow.api().extra_links("judged", run.run_id, "shop.canary")["Verdict"]  # while it runs

    assert run.end() == "failed"
    wait(lambda: run.xcom("canary", "judge_record"), "the record, written behind the verdict")
    record = Record.read(run.xcom("canary", "judge_record"))
    answer = shown(run, token=run.airflow.api().token())

    assert [one.kind for one in record.verdicts] == ["TRIP", "FAIL"]
    assert replay(record) == list(record.verdicts)
    assert record.about["run_id"] == run.run_id
    assert answer.status_code == 200
    assert record.verdicts[-1].line in answer.text
    assert "<svg " in answer.text
    assert shown(run, token=None).status_code == 401


def test_airflow_has_loaded_the_plugin(start: Start, v2: str) -> None:
    run = start(v2)  # no judge in this one

    assert "cd_provider" in {one["name"] for one in run.airflow.api().plugins()}
    run.end()
    assert not run.airflow.api().extra_links(run.dag_id, run.run_id, "shop.canary")["Verdict"]
    assert run.xcom("canary", "judge_record") is None
