"""The verdict's page as Airflow's own API application serves it: who sees it, what it shows, what is stored oddly."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cd_provider.core.judge.record import Record
from cd_provider.plugins import CdProviderPlugin
from cd_provider.plugins.page import Where, page
from tests.unit.core.judge.hand_made import canary, pods
from tests.unit.core.judge.test_picture import recorded

ROOT = Path(__file__).parents[3]
PAGE = "/cd-provider/verdict/shop/manual__1%2B00%3A00/shop.canary"
OTHER = PAGE.replace("/shop/", "/bank/")
WHERE = Where("shop", "manual__1+00:00", "shop.canary")
Answer = dict[str, Any]

ASKED: dict[str, dict[str, str]] = {
    "page": {"path": PAGE, "user": "vic"},
    "by cookie": {"path": PAGE, "user": "vic", "by": "cookie"},
    "nobody": {"path": PAGE},
    "nobody's record": {"path": PAGE + "/record"},
    "stranger": {"path": PAGE, "user": "stranger"},
    "stranger's record": {"path": PAGE + "/record", "user": "stranger"},
    "another Dag": {"path": OTHER, "user": "vic"},
    "any Dag": {"path": PAGE.replace("/shop/", "/~/"), "user": "vic"},
    "a Dag by query": {"path": OTHER + "?dag_id=shop", "user": "vic"},
    "record": {"path": PAGE + "/record", "user": "vic"},
    "second record": {"path": PAGE + "/record?key=judge_record_2", "user": "vic"},
    "another key": {"path": PAGE + "/record?key=return_value", "user": "vic"},
    "mapped": {"path": PAGE + "?map_index=1", "user": "vic"},
    "mapped record": {"path": PAGE + "/record?map_index=1", "user": "vic"},
    "nothing": {"path": PAGE + "?map_index=7", "user": "vic"},
    "pods": {"path": PAGE + "?pods=true", "user": "vic"},
    "broken": {"path": PAGE.replace("canary", "broken"), "user": "vic"},
    "broken record": {"path": PAGE.replace("canary", "broken") + "/record", "user": "vic"},
    "plugins": {"path": "/api/v2/plugins", "user": "vic"},
    "schema": {"path": "/cd-provider/openapi.json", "user": "vic"},
}


def failed() -> Record:
    return recorded(canary(pods(2, 5.0, 0.3), pods(2, 5.0, 0.001), upto_s=90.0))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    record = failed()
    kept = {"task_id": "shop.canary", "key": "judge_record", "value": record.packed()}
    given = {
        "xcoms": [
            {**kept, "key": "judge_record_2"},
            kept,
            {**kept, "map_index": 1},
            {**kept, "key": "return_value", "value": {"kind": "PASS"}},
            {**kept, "task_id": "shop.broken", "value": "<b>s3://somewhere/else</b>"},
        ],
        "asked": list(ASKED.values()),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.plugins.served", str(tmp_path_factory.mktemp("airflow"))],
        input=json.dumps(given), text=True, capture_output=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(ASKED, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("page", 200), ("by cookie", 200), ("record", 200), ("pods", 200), ("second record", 200), ("mapped", 200),
        ("nobody", 401), ("nobody's record", 401), ("stranger", 403), ("stranger's record", 403),
        ("another Dag", 403), ("any Dag", 403), ("a Dag by query", 403), ("nothing", 404), ("another key", 404),
        ("broken", 200), ("broken record", 422), ("schema", 404),
    ],
)  # fmt: skip
def test_only_who_may_read_the_dag_sees_anything(answers: dict[str, Answer], name: str, status: int) -> None:
    answer = answers[name]

    assert answer["status"] == status, answer["text"][:300]
    if status in (401, 403):
        assert "FAIL" not in answer["text"]


def test_the_page_has_the_sentence_the_picture_and_where_the_record_is(answers: dict[str, Answer]) -> None:
    text = answers["page"]["text"]
    trip, fail = failed().verdicts

    assert f"<strong>judge</strong>: {fail.line}" in text
    assert f"<li>{trip.line}</li>" in text
    assert text.count("<svg ") == 2
    assert 'href="shop.canary/record?key=judge_record" download' in text
    assert 'href="shop.canary/record?key=judge_record_2" download' in text
    assert "Dag shop, run manual__1+00:00, task shop.canary" in text


def test_a_mapped_tasks_page_leads_to_its_own_record(answers: dict[str, Answer]) -> None:
    assert 'href="shop.canary/record?map_index=1&amp;key=judge_record"' in answers["mapped"]["text"]
    assert answers["mapped record"]["status"] == 200


def test_a_downloaded_record_is_the_record(answers: dict[str, Answer]) -> None:
    answer = answers["record"]

    assert Record.read(answer["text"]) == failed()
    assert answer["headers"]["content-type"].startswith("application/json")
    assert answer["headers"]["content-disposition"] == 'attachment; filename="judge_record-shop.json"'


@pytest.mark.parametrize("name", ["page", "record", "nothing", "broken"])
def test_a_browser_runs_nothing_of_it(answers: dict[str, Answer], name: str) -> None:
    assert answers[name]["headers"]["content-security-policy"].startswith("default-src 'none';")
    assert answers[name]["headers"]["x-content-type-options"] == "nosniff"


def test_each_pod_is_drawn_when_asked_for(answers: dict[str, Answer]) -> None:
    assert "Each candidate pod alone" in answers["pods"]["text"]
    assert "Each candidate pod alone" not in answers["page"]["text"]


def test_what_is_no_record_is_told_and_not_run(answers: dict[str, Answer]) -> None:
    assert (
        "The record judge_record cannot be shown: packed text: saw &#x27;&lt;b&gt;s3:"
        in answers["broken"]["text"]
    )


def test_a_task_without_a_record_says_why(answers: dict[str, Answer]) -> None:
    assert "No verdict is kept for this task." in answers["nothing"]["text"]


def test_airflow_knows_the_plugin(answers: dict[str, Answer]) -> None:
    known = json.loads(answers["plugins"]["text"])["plugins"]

    assert [one["name"] for one in known] == ["cd_provider"]
    assert known[0]["fastapi_apps"][0]["url_prefix"] == "/cd-provider"


def test_it_is_found_by_its_entry_point() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
        "airflow.plugins"
    ]
    module, _, name = points["cd_provider"].partition(":")

    assert (module, name) == (CdProviderPlugin.__module__, CdProviderPlugin.__name__)


def test_a_process_that_serves_nothing_pays_for_nothing() -> None:
    code = (
        "import sys, cd_provider.plugins; print([m for m in sys.modules if m.startswith(('fastapi', 'cd_'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    loaded = set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))
    loaded.discard("cd_provider.get_provider_info")  # by Airflow itself, where the package is installed
    assert loaded == {"cd_provider", "cd_provider.core", "cd_provider.core.names", "cd_provider.plugins"}


def test_names_of_others_are_text_on_the_page() -> None:
    shown = page({}, Where("<i>dag</i>", '"run"', "</p>task", 3))

    assert "Dag &lt;i&gt;dag&lt;/i&gt;, run &quot;run&quot;, task &lt;/p&gt;task[3]" in shown


def test_a_record_that_cannot_be_drawn_hides_no_other() -> None:
    shown = page({"judge_record": "nonsense", "judge_record_2": failed().packed()}, WHERE)

    assert "The record judge_record cannot be shown" in shown
    assert shown.count("<svg ") == 1
