"""
Canary configs of Kayenta's: what is taken over, what is told to be lost, and faults all at once.

``configs.json`` has the ones that spinnaker/kayenta publishes, each under the file it comes from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cd_provider.core.gate import Gate, promql
from cd_provider.core.judge.kayenta.bounds import Bounds
from cd_provider.core.judge.kayenta.config import Thresholds, read_config
from cd_provider.core.judge.kayenta.metric import EffectSize, Metric
from cd_provider.exceptions import ArgumentError

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parent / "configs.json").read_text())["configs"]
BROKEN = {
    "kayenta-web/src/test/resources/canary-configs/duplicated-metric-name.json",
    "kayenta-judge/src/test/resources/test-config.json",
}
CPU = "kayenta-integration-tests/src/test/resources/canary-configs/prometheus/integration-test-cpu.json"
MUTED = "kayenta-integration-tests/src/test/resources/canary-configs/prometheus/muted-metric.json"


def config(*, query: dict[str, Any] | None = None, templates: Any = None, **canary: Any) -> dict[str, Any]:
    """Give a config of one metric."""
    asked = {"type": "prometheus", "customInlineTemplate": 'PromQL:errors{app="${scope}"}'} | (query or {})
    metric = {"name": "errors", "query": asked, "groups": ["g"], "analysisConfigurations": {"canary": canary}}
    return {"name": "shop", "metrics": [metric], "templates": templates or {}}


def only(value: Any, **bindings: str) -> Any:
    """Give the only metric of a config."""
    (metric,) = read_config(value, bindings=bindings).metrics
    return metric


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - BROKEN))
def test_what_kayenta_publishes_is_read_and_the_rest_named(name: str) -> None:
    given = PUBLISHED[name]

    found = read_config(json.dumps(given))

    assert [one.name for one in found.metrics] == [one["name"] for one in given["metrics"]]
    assert found.weights == given["classifier"]["groupWeights"]
    for number, one in enumerate(found.metrics):
        # a metric without a query is told, and one of another source by its type
        told = " ".join(line for line in found.warnings if line.startswith(f"metrics[{number}].query."))
        kind = given["metrics"][number]["query"]["type"]
        assert bool(one.query) != bool(told)
        assert kind == "prometheus" or f"{kind!r} is not Prometheus" in told
    ends = [line.split(":")[0] for line in found.warnings[-2:]]
    assert ends == ["classifier.groupWeights", "classifier.scoreThresholds"]


def test_the_published_prometheus_config_is_taken_over_whole() -> None:
    found = read_config(PUBLISHED[CPU], bindings={"namespace": "$namespace"})

    (cpu,) = found.metrics
    assert cpu.query == "avg(integration_test_cpu{namespace='$namespace', scope='$candidate'})"
    assert cpu.stable_query == "avg(integration_test_cpu{namespace='$namespace', scope='$stable'})"
    assert (cpu.critical, cpu.rise, cpu.fall) == (True, Bounds(), None)
    assert cpu.shadow == Metric(name=cpu.name, groups=("pod-group",), direction="increase", critical=True)
    assert found.thresholds == Thresholds(75, 50)


def test_the_published_muted_metric_is_advisory() -> None:
    found = read_config(PUBLISHED[MUTED], bindings={"namespace": "shop"})

    assert [one.critical for one in found.metrics] == [False, True]
    assert "metrics[0].analysisConfigurations.canary.muted: it is taken for advisory." in found.warnings


def test_the_published_broken_config_is_refused_with_all_its_faults() -> None:
    with pytest.raises(
        ArgumentError, match=r"3 fault\(s\)[\s\S]*metrics: saw 'mem' 2 times, expected different names"
    ):
        read_config(PUBLISHED["kayenta-web/src/test/resources/canary-configs/duplicated-metric-name.json"])


HISTOGRAM = 'PromQL:histogram_quantile({}, prometheus_http_response_size_bytes_bucket{{handler="{}"}})'


@pytest.mark.parametrize(
    ("query", "templates", "expected"),
    [
        pytest.param(
            {"customInlineTemplate": HISTOGRAM.format("0.5", "${scope}")},
            {},
            'histogram_quantile(0.5, prometheus_http_response_size_bytes_bucket{handler="$candidate"})',
            id="PromQL",
        ),
        pytest.param(
            {"customInlineTemplate": HISTOGRAM.format("${quantile}", "${scope}")},
            {},
            'histogram_quantile(0.99, prometheus_http_response_size_bytes_bucket{handler="$candidate"})',
            id="parameter",
        ),
        pytest.param(
            {
                "customInlineTemplate": "",
                "customFilterTemplate": "t",
                "metricName": "some-metric-name",
                "labelBindings": ["a=b"],
            },
            {"t": "some-label=${scope}"},
            "avg(some-metric-name{some-label=$candidate,a=b})",
            id="template",
        ),
        pytest.param(
            {
                "customInlineTemplate": "x=${scope},y=${location}",
                "customFilterTemplate": "t",
                "metricName": "m",
            },
            {"t": "unused"},
            "avg(m{x=$candidate,y=$namespace})",
            id="inline goes first",
        ),
        pytest.param(
            {"customInlineTemplate": 'PromQL:m{b=~"x$",a="$\\{scope}",c=~"y$"}'},
            {},
            'm{b=~"x$$",a="$candidate",c=~"y$$"}',
            id="dollars",
        ),
    ],
)
def test_queries_of_prometheus_metrics_service_spec(query: Any, templates: Any, expected: str) -> None:
    assert only(config(query=query, templates=templates), quantile="0.99").query == expected


def test_a_gate_takes_the_query() -> None:
    query = only(config(query={"customInlineTemplate": 'PromQL:m{a="${scope}",b=~"x$"} / n'})).query

    assert Gate.parse(promql("errors", query=query, max=0.01)).query == query


@pytest.mark.parametrize(
    ("query", "told"),
    [
        pytest.param(
            {"customInlineTemplate": "x=${scope},y=${region}"},
            r"${region} is not in the config",
            id="variable",
        ),
        pytest.param(
            {"customInlineTemplate": "PromQL:up"}, r"the query does not use ${scope}", id="no scope"
        ),
        pytest.param(
            {"customInlineTemplate": ""}, "Kayenta adds the filter of a resource type", id="resource type"
        ),
        pytest.param({"type": "datadog"}, "'datadog' is not Prometheus", id="another source"),
    ],
)
def test_a_query_that_cannot_be_known_is_none_and_says_why(query: Any, told: str) -> None:
    found = read_config(config(query=query))

    assert found.metrics[0].query is None
    assert [told in line for line in found.warnings] == [True]


def test_effect_sizes_become_what_is_ignored_and_what_is_not_acceptable() -> None:
    sizes = {"allowedIncrease": 1.1, "criticalIncrease": 5, "allowedDecrease": 0.9, "criticalDecrease": 0.5}

    found = only(config(direction="either", critical=True, effectSize=sizes))

    assert (found.rise, found.fall) == (Bounds(1.1, 5), Bounds(0.9, 0.5))
    assert found.shadow.effect == EffectSize(
        allowed_increase=1.1, allowed_decrease=0.9, critical_increase=5, critical_decrease=0.5
    )


@pytest.mark.parametrize(
    ("canary", "expected", "told"),
    [
        pytest.param({"effectSize": {"allowedIncrease": 1.0}}, Bounds(), "no difference at all", id="1 is no minimum"),
        pytest.param({"effectSize": {"criticalIncrease": 2.0}}, Bounds(), "is not critical", id="not critical"),
        pytest.param(
            {"effectSize": {"measure": "cles", "allowedIncrease": 0.7}}, Bounds(), "a chance (cles)", id="no ratio"
        ),
        pytest.param(
            {"critical": True, "effectSize": {"allowedIncrease": 3, "criticalIncrease": 2}}, Bounds(3), "3 is allowed",
            id="critical within what is allowed",
        ),
        pytest.param({"outliers": {"strategy": "remove"}}, Bounds(), "keeps every sample", id="outliers"),
        pytest.param({"nanStrategy": "replace"}, Bounds(), "NO_DATA, not a pass", id="replace"),
    ],
)  # fmt: skip
def test_what_is_not_taken_over_is_told(canary: Any, expected: Bounds, told: str) -> None:
    found = read_config(config(direction="increase", **canary))

    assert found.metrics[0].rise == expected
    assert [told in line for line in found.warnings] == [True]


@pytest.mark.parametrize(("strategy", "expected"), [("replace", True), ("remove", False)])
def test_only_what_is_replaced_is_zero_when_it_is_missing(strategy: str, expected: bool) -> None:
    assert only(config(nanStrategy=strategy)).missing_is_zero is expected


def test_another_judge_and_unknown_keys_are_told() -> None:
    told = read_config(config() | {"judge": {"name": "dredd-v1.0"}, "services": {}}).warnings

    assert told == (
        "services: not known, not taken over.",
        "judge.name: 'dredd-v1.0' is not taken over; the shadow is always NetflixACAJudge-v1.0.",
    )


def test_nothing_lost_is_nothing_told() -> None:
    found = read_config(config(direction="decrease", critical=True, mustHaveData=True))

    assert found.warnings == ()
    assert (found.metrics[0].rise, found.metrics[0].fall) == (None, Bounds())
    assert found.metrics[0].must_have_data


def test_weights_that_cannot_reach_a_hundred_are_told() -> None:
    given = config() | {"classifier": {"groupWeights": {"g": 60, "gone": 30}}}

    told = read_config(given).warnings

    assert any(line.startswith("classifier.groupWeights.gone: no metric is in this group") for line in told)
    assert "classifier.groupWeights: together 90, where Kayenta wants 100." in told


def test_faults_are_told_all_at_once_with_key_value_and_expectation() -> None:
    given = config(
        direction="up", critical="yes", nanStrategy="zero", critcal=True,
        effectSize={"allowedIncrease": -1}, outliers={"strategy": "remove", "outlierFactor": 0},
        query={"customFilter": "a=b"},
    ) | {"classifier": {"scoreThresholds": {"pass": 75}}}  # fmt: skip

    with pytest.raises(ArgumentError) as caught:
        read_config(given)

    canary = "metrics[0].analysisConfigurations.canary"
    text = str(caught.value)
    assert text.startswith("canary config 'shop': 8 fault(s), nothing was imported:\n  1. ")
    for line in (
        f"{canary}.direction: saw 'up', expected one of either, increase, decrease.",
        f"{canary}.critical: saw 'yes', expected true or false.",
        f"{canary}.nanStrategy: saw 'zero', expected one of remove, replace.",
        f"{canary}.critcal: saw True, expected no such key, but some of direction, nanStrategy,",
        f"{canary}.effectSize.allowedIncrease: saw -1, expected a number above 0.",
        f"{canary}.outliers.outlierFactor: saw 0, expected a number above 0.",
        "metrics[0].query.customFilter: saw 'a=b', expected customInlineTemplate instead;",
        "classifier.scoreThresholds.marginal: saw nothing, expected a number from 0 to 100.",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("{", "a text that is no JSON", id="no JSON"),
        pytest.param(
            config(effectSize={"allowedIncrease": True}), "saw True, expected a number above 0", id="a flag"
        ),
        pytest.param(
            config(effectSize={"measure": "cles", "allowedIncrease": 1.1}),
            "saw 1.1, expected a number from 0 to 1",
            id="cles",
        ),
        pytest.param(
            config() | {"classifier": {"scoreThresholds": {"pass": 50, "marginal": 75}}},
            "scoreThresholds.marginal: saw 75, expected at most pass, 50",
            id="marginal",
        ),
        pytest.param([], r"canary config: saw \[\], expected an object", id="no object"),
        pytest.param(
            {"name": "x", "metrics": []}, "metrics: saw .*, expected a list with one metric", id="no metrics"
        ),
        pytest.param(
            {"name": "x", "metrics": {}}, "metrics: saw {}, expected a list of objects", id="no list"
        ),
        pytest.param(
            config(query={"customInlineTemplate": "", "customFilterTemplate": "t"}),
            "one of the templates",
            id="t",
        ),
    ],
)
def test_what_is_no_config_is_refused(value: Any, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        read_config(value)
