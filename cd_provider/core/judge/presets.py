"""Which counters a product keeps, and how to read them: names, units, whose they are, what is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cd_provider.exceptions import ArgumentError

Unit = Literal["backend_pod", "gateway", "none"]
Ratio = Literal["errors", "client_errors"]

# Of gRPC: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, by number and by name.
GRPC_ERRORS = "2|4|12|13|14|15|(?i:UNKNOWN|DEADLINE_?EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_?LOSS)"
ERRORS: Mapping[Ratio, str] = {
    "errors": "5..",  # gateways word a connection that fails as 502 or 503, a late answer as 504
    "client_errors": "4(?!29|99)..",  # too many requests, and clients that went away, are nobody's fault here
}
PROBES = (
    "/(healthz?|livez?|liveness|readyz?|readiness|startupz?|ping|metrics|-/(healthy|ready)|actuator/.*)/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """
    How one product counts.

    :param unit: whose counters these are: ``backend_pod``, each pod's own; ``gateway``, each gateway's, by backend;
        ``none``, a side's sum. Only backend pods can be left out one by one.
    :param total: counter of requests, each once, by its full name (``…_total``, ``…_count``).
    :param status: its label that holds the HTTP status. :param grpc: its label that holds the gRPC status.
    :param fault: its label that says what went wrong; an error where there is no HTTP status beside it.
    :param errors: counter of errors alone, where no label tells them; ``total`` counts the same requests too.
    :param latency: base name of a classic histogram. :param per_second: its unit: 1000 for milliseconds.
    :param backend: label that names the side for ``gateway`` and ``none``. :param backend_is: how it looks: a pattern
        with ``{namespace}`` and ``{service}``.
    :param pod: label that names the pod; the gateway's, where the gateway counts.
    :param namespace: label that names the pods' namespace; None: the pods' names suffice.
    :param where: labels that every series of it has, label → pattern, such as who reports in a mesh.
    :param single: labels that every series of ``total`` has which counts each request once; under the same name there
        are sums of them.
    :param path: label that holds the request's path or route; probes of it are left out.
    :param port: where its page is as a rule. :param page: the same.
    :param experimental: nobody has seen it judge. A plan says so.
    """

    name: str
    unit: Unit
    total: str
    status: str | None = None
    grpc: str | None = None
    fault: str | None = None
    errors: str | None = None
    latency: str | None = None
    per_second: float = 1.0
    backend: str | None = None
    backend_is: str = ""
    pod: str = "pod"
    namespace: str | None = "namespace"
    where: tuple[tuple[str, str], ...] = ()
    single: tuple[tuple[str, str], ...] = ()
    path: str | None = None
    port: int | None = None
    page: str = "/metrics"
    experimental: bool = False

    def __post_init__(self) -> None:
        if self.unit != "backend_pod" and not (self.backend and "{service}" in self.backend_is):
            raise ArgumentError(
                f"preset {self.name}: unit {self.unit!r} needs `backend`, the label that names the Service, and "
                "`backend_is` with {service} in it."
            )
        if not (self.status or self.grpc or self.fault or self.errors):
            raise ArgumentError(
                f"preset {self.name}: nothing tells an error; give `status`, `grpc`, `fault` or `errors`."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Every metric that it needs, by full name."""
        latency = (f"{self.latency}_bucket",) if self.latency else ()
        return (self.total, *((self.errors,) if self.errors else ()), *latency)

    def backend_pattern(self, namespace: str, service: str) -> str:
        """Give the pattern that the whole backend label of one Service matches; valid in Python and in PromQL."""
        return self.backend_is.replace("{namespace}", _plain(namespace)).replace("{service}", _plain(service))


def _plain(text: str) -> str:
    """Escape what a pattern would misread; names in a cluster have but letters, digits, dots and dashes."""
    return re.sub(r"([^\w-])", r"\\\1", text)


ENVOY = Preset(
    name="envoy",
    unit="gateway",
    total="envoy_cluster_upstream_rq",  # one per request, retries apart; a connection that fails is a 503 here
    status="envoy_response_code",
    latency="envoy_cluster_upstream_rq_time",
    per_second=1000,
    backend="envoy_cluster_name",
    backend_is="{namespace}_{service}_[0-9]+",  # as Contour names it; the last is the Service's port
    port=8002,
    page="/stats/prometheus",
)
TRAEFIK = Preset(
    name="traefik",
    unit="gateway",
    total="traefik_service_requests_total",
    status="code",
    latency="traefik_service_request_duration_seconds",
    backend="service",
    backend_is="{namespace}-{service}-http-[0-9]+@kubernetesgateway",
    port=8080,
)
ISTIO_GATEWAY = Preset(
    name="istio_gateway",
    unit="gateway",
    total="envoy_cluster_upstream_rq",
    status="response_code",
    latency="envoy_cluster_upstream_rq_time",
    per_second=1000,
    backend="cluster_name",
    backend_is=r"outbound\|[0-9]+\|[^|]*\|{service}\.{namespace}\.svc\..+",  # port, subset, the Service's host
    single=(("response_code", "[0-9]{3}"),),  # each request again by its class, 2xx and so on
    port=15020,
    page="/stats/prometheus",
)
OTEL_HTTP_SERVER = Preset(
    name="otel_http_server",
    unit="backend_pod",
    total="http_server_request_duration_seconds_count",
    status="http_response_status_code",
    fault="error_type",
    latency="http_server_request_duration_seconds",
    path="http_route",
    port=9464,
)
DEMO = Preset(
    name="demo",
    unit="backend_pod",
    total="shop_requests_total",
    status="code",
    latency="shop_request_duration_seconds",
    port=8080,
)
PRESETS: Mapping[str, Preset] = {
    one.name: one for one in (ENVOY, TRAEFIK, ISTIO_GATEWAY, OTEL_HTTP_SERVER, DEMO)
}
"""Those whose counters were recorded from the real program."""
# By its documentation ("Istio Standard Metrics"): whoever sends a request reports it with `reporter="source"`: the
# gateway, and each caller's sidecar. A pod's own sidecar reports it again, as `destination`; a request counts once.
ISTIO = Preset(
    name="istio",
    unit="gateway",
    total="istio_requests_total",
    status="response_code",
    grpc="grpc_response_status",
    latency="istio_request_duration_milliseconds",
    per_second=1000,
    backend="destination_service",
    backend_is=r"{service}\.{namespace}\.svc\..+",  # the host; what follows is the cluster's domain
    where=(("reporter", "source"),),
    port=15020,
    page="/stats/prometheus",
    experimental=True,
)
EXPERIMENTAL: Mapping[str, Preset] = {one.name: one for one in (ISTIO,)}
"""Those that are written from a documentation alone; a plan says so."""


def preset(name: str, **given: Any) -> Preset:
    """
    Give a preset by its name; ``custom`` is made of ``given``, see :class:`Preset`.

    :raises ArgumentError: there is no such preset, or ``given`` does not make one.
    """
    if name == "custom":
        try:
            return Preset(**{"name": "custom", "unit": "backend_pod", "experimental": True, **given})
        except TypeError as err:
            raise ArgumentError(f"preset custom: {err}.") from err
    if name not in {**PRESETS, **EXPERIMENTAL} or given:
        known = ", ".join((*PRESETS, *EXPERIMENTAL, "custom"))
        seen = f"{name!r} with {', '.join(given)}" if given else repr(name)
        raise ArgumentError(
            f"preset: saw {seen}, expected one of {known}; only custom takes names of its own."
        )
    return {**PRESETS, **EXPERIMENTAL}[name]
