"""What Airflow reads about this package; it imports nothing, since Airflow asks every process for it."""

from __future__ import annotations

from typing import Any

NAME = "Continuous delivery"


def get_provider_info() -> dict[str, Any]:
    """
    Describe the package to Airflow.

    The connection types of Kubernetes and Slack come from their own providers.
    Source: Airflow's provider_info.schema.json; ``conn-fields`` are JSON schemas of keys of the extra.
    """
    return {
        "package-name": "airflow-provider-cd",
        "name": NAME,
        "description": "Verify an image, let a few users have it, judge it, promote it or take it back.",
        "integrations": [{"integration-name": NAME, "external-doc-url": "https://gateway-api.sigs.k8s.io/"}],
        "operators": _modules(
            "operators", "plan", "image", "smoke", "approval", "canary", "promote", "abort", "outcome"
        ),
        "sensors": _modules("sensors", "window", "workload"),
        "hooks": _modules("hooks", "cluster", "registry", "prometheus", "docker"),
        "triggers": _modules("triggers", "canary", "promote", "workload"),
        "connection-types": [_prometheus(), _oci_registry(), _docker_engine()],
        "notifications": ["cd_provider.notifications.release.ReleaseNotifier"],
        "extra-links": [
            "cd_provider.operators.links.GatesLink",
            "cd_provider.operators.links.VerdictLink",
        ],
    }


def _modules(package: str, *names: str) -> list[dict[str, Any]]:
    modules = [f"cd_provider.{package}.{name}" for name in names]
    return [{"integration-name": NAME, "python-modules": modules}]


def _prometheus() -> dict[str, Any]:
    return {
        "connection-type": "prometheus",
        "hook-class-name": "cd_provider.hooks.prometheus.PrometheusHook",
        "hook-name": "Prometheus",
        "ui-field-behaviour": {
            "hidden-fields": ["extra"],
            "relabeling": {"schema": "Scheme"},
            "placeholders": {
                "host": "prometheus.monitoring",
                "port": "9090",
                "schema": "http or https",
                "login": "for basic authentication",
            },
        },
        "conn-fields": {
            "token": _text("Bearer token", "Instead of login and password.", secret=True),
            "ca_file": _text("CA file", "Path of a PEM file, on every machine that runs tasks or triggers."),
            "verify": {
                "label": "Verify the certificate",
                "schema": {"type": ["boolean", "null"], "default": True},
                "description": "Off: any certificate is taken.",
            },
            "headers": {
                "label": "Headers",
                "schema": {"type": ["object", "null"]},
                "description": 'Sent with each query, such as {"X-Scope-OrgID": "team"}.',
            },
            "path_prefix": _text("Path prefix", "Where a proxy has put the server, such as /prometheus."),
        },
    }


def _oci_registry() -> dict[str, Any]:
    return {
        "connection-type": "oci_registry",
        "hook-class-name": "cd_provider.hooks.registry.RegistryHook",
        "hook-name": "OCI registry",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "extra"],
            "relabeling": {"host": "Registry"},
            "placeholders": {
                "host": "registry.example.com or 10.0.0.5:5000",
                "login": "empty: anonymous",
            },
        },
        "conn-fields": {
            "insecure_http": {
                "label": "Plain HTTP",
                "schema": {"type": ["boolean", "null"], "default": False},
                "description": "Only for a registry on a network that nobody else reads.",
            },
            "ca_file": _text("CA file", "Path of a PEM file, on every machine that runs tasks or triggers."),
            "token_realms": {
                "label": "Token realms",
                "schema": {"type": ["array", "null"], "items": {"type": "string"}},
                "description": "Other hosts that may be sent the login, such as auth.example.com.",
            },
        },
    }


def _docker_engine() -> dict[str, Any]:
    return {
        "connection-type": "docker_engine",
        "hook-class-name": "cd_provider.hooks.docker.DockerEngineHook",
        "hook-name": "Docker engine",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "login", "password", "extra"],
            "relabeling": {"host": "Engine"},
            "placeholders": {"host": "unix:///var/run/docker.sock or tcp://10.0.0.5", "port": "2376"},
        },
        "conn-fields": {
            "ca_file": _text("CA file", "Path of a PEM file that signs the engine's certificate."),
            "cert_file": _text("Certificate file", "Path of our own certificate in PEM."),
            "key_file": _text("Key file", "Path of its private key in PEM."),
            "allow_plain": {
                "label": "Plain TCP",
                "schema": {"type": ["boolean", "null"], "default": False},
                "description": "Whoever reaches an engine without TLS rules its host.",
            },
        },
    }


def _text(label: str, description: str, *, secret: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"]}
    if secret:
        schema["format"] = "password"
    return {"label": label, "schema": schema, "description": description}
