"""A label set: whose it is, what it counts, and what is nobody's."""

from __future__ import annotations

import re

import pytest

from cd_provider.core.judge.presets import (
    ENVOY,
    EXPERIMENTAL,
    ISTIO,
    OTEL_HTTP_SERVER,
    PRESETS,
    TRAEFIK,
    Preset,
    Ratio,
    preset,
)
from cd_provider.core.judge.sides import Page, Sides
from cd_provider.core.judge.telling import Told, needles, selector, tell
from cd_provider.exceptions import ArgumentError

SIDES = Sides("web", "shop-candidate", "shop", ("shop-candidate-a", "shop-candidate-b"), ("shop-x",))
RPC = preset("custom", total="rpc_total", grpc="grpc_code", path="path")
OWN = preset("custom", total="calls", errors="failures", latency="took")
POD = {"namespace": "web", "pod": "shop-x"}


def envoy(cluster: str, code: str = "200") -> dict[str, str]:
    return {
        "envoy_cluster_name": cluster,
        "envoy_response_code": code,
        "pod": "envoy-1",
        "namespace": "gateway",
    }


@pytest.mark.parametrize(
    ("cluster", "side"),
    [
        pytest.param("web_shop-candidate_80", "candidate", id="the candidate"),
        pytest.param("web_shop_80", "stable", id="stable"),
        pytest.param("web_shop_8080", "stable", id="another port of stable"),
        pytest.param("web_shop-candidate-2_80", None, id="a longer name"),
        pytest.param("other_shop_80", None, id="the same name in another namespace"),
        pytest.param("web_shop", None, id="no port"),
        pytest.param("web_shop_80_tls", None, id="more than a port"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_gateways_counters_belong_to_the_service_and_their_pod_is_the_gateway(
    cluster: str, side: str | None
) -> None:
    told = tell(ENVOY, SIDES, "envoy_cluster_upstream_rq", envoy(cluster))

    assert (told and (told.side, told.pod)) == (side and (side, "envoy-1"))


def test_a_gateway_without_a_pod_is_known_by_its_instance() -> None:
    labels = {"envoy_cluster_name": "web_shop_80", "envoy_response_code": "503", "instance": "10.0.0.1:8002"}

    assert tell(ENVOY, SIDES, "envoy_cluster_upstream_rq", labels) == Told(
        "stable", "10.0.0.1:8002", bad=True
    )


def test_traefiks_services_are_told_apart() -> None:
    def whose(service: str) -> str | None:
        told = tell(TRAEFIK, SIDES, "traefik_service_requests_total", {"service": service, "code": "200"})
        return told.side if told else None

    assert whose("web-shop-http-80@kubernetesgateway") == "stable"
    assert whose("web-shop-candidate-http-80@kubernetesgateway") == "candidate"
    assert whose("web-shop-candidate-http-80@file") is None


@pytest.mark.parametrize(
    ("pod", "namespace", "side"),
    [
        pytest.param("shop-x", "web", "stable", id="stable"),
        pytest.param("shop-candidate-b", "web", "candidate", id="the candidate"),
        pytest.param("shop-candidate-old", "web", None, id="what an earlier candidate left"),
        pytest.param("shop-x", "other", None, id="a pod of that name elsewhere"),
        pytest.param("shop", "web", None, id="a shorter name"),
    ],
)
def test_a_pods_counters_belong_to_the_side_that_names_the_pod(
    pod: str, namespace: str, side: str | None
) -> None:
    labels = {"pod": pod, "namespace": namespace, "http_response_status_code": "200"}
    told = tell(OTEL_HTTP_SERVER, SIDES, OTEL_HTTP_SERVER.total, labels)

    assert (told and (told.side, told.pod)) == (side and (side, pod))


@pytest.mark.parametrize(
    ("code", "ratio", "bad"),
    [
        pytest.param("200", "errors", False, id="200"),
        pytest.param("404", "errors", False, id="404 is no error"),
        pytest.param("500", "errors", True, id="500"),
        pytest.param("599", "errors", True, id="599"),
        pytest.param("5xx", "errors", True, id="a class"),
        pytest.param("50", "errors", False, id="50"),
        pytest.param("5000", "errors", False, id="5000"),
        pytest.param("404", "client_errors", True, id="404 is a client's"),
        pytest.param("429", "client_errors", False, id="too many requests"),
        pytest.param("499", "client_errors", False, id="the client went away"),
        pytest.param("428", "client_errors", True, id="428"),
        pytest.param("500", "client_errors", False, id="500 is no client's"),
    ],
)
def test_a_status_is_an_error_or_not(code: str, ratio: Ratio, bad: bool) -> None:
    told = tell(ENVOY, SIDES, "envoy_cluster_upstream_rq", envoy("web_shop_80", code), ratio=ratio)

    assert told is not None
    assert told.bad is bad


BAD_GRPC = {
    "UNKNOWN": 2,
    "DEADLINE_EXCEEDED": 4,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
}
GOOD_GRPC = {
    "OK": 0, "CANCELLED": 1, "INVALID_ARGUMENT": 3, "NOT_FOUND": 5, "ALREADY_EXISTS": 6, "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8, "FAILED_PRECONDITION": 9, "ABORTED": 10, "OUT_OF_RANGE": 11, "UNAUTHENTICATED": 16,
}  # fmt: skip


@pytest.mark.parametrize(("name", "number"), [*BAD_GRPC.items(), *GOOD_GRPC.items()])
def test_grpc_has_errors_of_its_own(name: str, number: int) -> None:
    camel = "OK" if name == "OK" else "".join(part.title() for part in name.split("_"))
    told = [tell(RPC, SIDES, "rpc_total", {**POD, "grpc_code": code}) for code in (name, camel, str(number))]

    assert [one is not None and one.bad for one in told] == [name in BAD_GRPC] * 3


def test_opentelemetry_without_a_status_is_bad_when_it_names_a_fault() -> None:
    def bad(**labels: str) -> bool:
        told = tell(OTEL_HTTP_SERVER, SIDES, OTEL_HTTP_SERVER.total, {**POD, **labels})
        return told is not None and told.bad

    assert bad(error_type="ConnectionResetError")
    assert not bad(error_type="404", http_response_status_code="404")
    assert not bad(error_type="")
    assert bad(error_type="503", http_response_status_code="503")


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        pytest.param("/healthz", False, id="healthz"),
        pytest.param("/readyz/", False, id="with a slash"),
        pytest.param("/-/ready", False, id="as Prometheus has it"),
        pytest.param("/actuator/health/liveness", False, id="as Spring has it"),
        pytest.param("/metrics", False, id="metrics"),
        pytest.param("/healthz/of/shops", True, id="a path below"),
        pytest.param("/api/health-insurance", True, id="a path that only looks so"),
        pytest.param("", True, id="no path"),
    ],
)
def test_probes_are_no_requests_of_users(path: str, ours: bool) -> None:
    labels = {**POD, "path": path, "grpc_code": "0"}

    assert (tell(RPC, SIDES, "rpc_total", labels) is not None) is ours


def test_buckets_are_in_seconds_whatever_the_product_uses() -> None:
    name = "envoy_cluster_upstream_rq_time_bucket"
    edges = [tell(ENVOY, SIDES, name, {**envoy("web_shop_80"), "le": le}) for le in ("0.5", "300", "+Inf")]

    assert [one and one.edge for one in edges] == [0.0005, 0.3, float("inf")]
    assert tell(ENVOY, SIDES, "envoy_cluster_upstream_rq_time_count", envoy("web_shop_80")) is None


def test_a_bucket_without_a_bound_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="le as a number"):
        tell(OWN, SIDES, "took_bucket", POD)


def test_an_own_counter_of_errors_counts_no_request_twice() -> None:
    total, failures = tell(OWN, SIDES, "calls", POD), tell(OWN, SIDES, "failures", POD)

    assert total == Told("stable", "shop-x")
    assert failures == Told("stable", "shop-x", bad=True, counted=True)
    assert tell(OWN, SIDES, "failures", POD, ratio="client_errors") is None


def test_what_a_preset_asks_of_every_series_is_kept() -> None:
    mesh = preset("custom", total="calls", status="code", where=(("reporter", "destination"),))

    assert tell(mesh, SIDES, "calls", {**POD, "reporter": "destination", "code": "200"})
    assert tell(mesh, SIDES, "calls", {**POD, "reporter": "source", "code": "200"}) is None
    assert tell(mesh, SIDES, "calls", {**POD, "code": "200"}) is None
    assert 'reporter=~"destination"' in selector(mesh, SIDES)


@pytest.mark.parametrize("one", PRESETS.values(), ids=PRESETS.keys())
def test_the_selector_asks_for_both_sides_and_every_metric(one: Preset) -> None:
    asked = selector(one, SIDES, matchers='cluster="prod"')
    (names,) = re.findall(r'__name__=~"([^"]*)"', asked)

    assert {*one.names, one.latency} == set(names.split("|"))
    assert "shop-candidate" in asked
    assert asked.endswith(', cluster="prod"}')


def test_a_dot_in_a_pods_name_matches_a_dot_alone() -> None:
    sides = Sides("web", "shop-candidate", "shop", stable_pods=("db.1",))

    assert r'pod=~"db\\.1"' in selector(OTEL_HTTP_SERVER, sides)


@pytest.mark.parametrize("one", [ENVOY, TRAEFIK], ids=["envoy", "traefik"])
def test_every_line_of_a_side_has_one_of_the_needles(one: Preset) -> None:
    labels = {"envoy": "web_shop-candidate_80", "traefik": "web-shop-candidate-http-80@kubernetesgateway"}

    assert any(needle in labels[one.name] for needle in needles(one, SIDES))
    assert not any(needle in "web_other_80 web-other-http-80" for needle in needles(one, SIDES))
    assert needles(OTEL_HTTP_SERVER, SIDES) == ()


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        pytest.param("envoi", {}, "'envoi', expected one of envoy, traefik", id="a typo is not a default"),
        pytest.param("envoy", {"total": "x"}, "'envoy' with total", id="a preset is taken as it is"),
        pytest.param("custom", {}, "total", id="custom without a counter"),
        pytest.param("custom", {"total": "x"}, "nothing tells an error", id="custom without errors"),
        pytest.param("custom", {"total": "x", "statsu": "y"}, "statsu", id="custom with a typo"),
        pytest.param(
            "custom",
            {"total": "x", "status": "y", "unit": "gateway"},
            "needs `backend`",
            id="a gateway of nobody",
        ),
    ],
)
def test_a_preset_that_makes_no_sense_is_an_error(name: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        preset(name, **given)

    assert said in str(caught.value)


def test_custom_and_what_was_not_recorded_are_experimental_and_the_others_are_not() -> None:
    assert OWN.experimental
    assert all(one.experimental for one in EXPERIMENTAL.values())
    assert not any(one.experimental for one in PRESETS.values())
    assert not set(PRESETS) & set(EXPERIMENTAL)
    assert preset("istio") is ISTIO


def istio(host: str, *, reporter: str = "source", code: str = "200", **more: str) -> dict[str, str]:
    """Name some of the labels that Istio documents; ``pod`` and ``namespace`` are the reporter's, by the scrape."""
    return {
        "reporter": reporter, "destination_service": host, "response_code": code, "pod": "gw-1", "namespace": "edge",
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        pytest.param(istio("shop.web.svc.cluster.local"), Told("stable", "gw-1"), id="stable"),
        pytest.param(istio("shop-candidate.web.svc.x.y"), Told("candidate", "gw-1"), id="another domain"),
        pytest.param(istio("shop.web.svc.x", code="503"), Told("stable", "gw-1", bad=True), id="an error"),
        pytest.param(
            istio("shop.web.svc.x", grpc_response_status="14"), Told("stable", "gw-1", bad=True), id="gRPC"
        ),
        pytest.param(istio("shop.other.svc.cluster.local"), None, id="another namespace"),
        pytest.param(istio("shop.web"), None, id="no host of the cluster"),
        pytest.param(istio("shop.web.svc.x", reporter="destination"), None, id="the same request again"),
        pytest.param(istio("shopxweb.svc.x"), None, id="a dot is a dot"),
    ],
)
def test_istio_by_its_documentation(labels: dict[str, str], told: Told | None) -> None:
    assert tell(ISTIO, SIDES, "istio_requests_total", labels) == told
    if told is not None:
        edge = tell(ISTIO, SIDES, "istio_request_duration_milliseconds_bucket", {**labels, "le": "2500"})
        assert edge == Told(told.side, "gw-1", edge=2.5)


def test_istios_selector_asks_for_senders_alone() -> None:
    asked = selector(ISTIO, SIDES)

    assert 'reporter=~"source"' in asked
    assert r'destination_service=~"shop-candidate\\.web\\.svc\\..+|shop\\.web\\.svc\\..+"' in asked
    assert all(needle in "shop-candidate.web.svc shop.web.svc" for needle in needles(ISTIO, SIDES))


def test_nobody_stands_on_both_sides() -> None:
    with pytest.raises(ArgumentError, match="web/shop is on both sides"):
        Sides("web", "shop", "shop")
    with pytest.raises(ArgumentError, match="web/a is on both sides"):
        Sides("web", "c", "s", ("a",), ("a", "b"), pages={"a": Page("web", "a", 80)})
