"""The verify task: what it hands on, what fails it for good, and what is tried again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from structlog.testing import capture_logs

from cd_provider.core.release import Verified
from cd_provider.exceptions import ArgumentError, RegistryUnavailableError
from cd_provider.operators.image import ImageVerifyOperator
from tests.registries.double import RegistryDouble, error, on
from tests.stack.oci_push import attestation, digest, image, index

COMMIT = {"org.opencontainers.image.revision": "c0ffee"}
AMD = image("linux/amd64", created="2026-02-02T00:00:00Z", labels=COMMIT, layers=(b"x" * 100,))
ARM = image("linux/arm64", created="2026-01-01T00:00:00Z")
ALL = index(AMD, ARM, attestation(AMD))


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryDouble]:
    with RegistryDouble() as double:
        double.hold("shop", "v1", ALL)
        told = {"conn_type": "oci_registry", "host": double.host, "extra": '{"insecure_http": true}'}
        monkeypatch.setenv("AIRFLOW_CONN_REGISTRY_DEFAULT", json.dumps(told))
        yield double


def verify(image: Any, **rules: Any) -> ImageVerifyOperator:
    return ImageVerifyOperator(task_id="verify", image=image, **rules)


async def run(image: Any, **rules: Any) -> dict[str, Any]:
    """Run it as Airflow does: in a thread of its own, without a running loop."""
    return await asyncio.to_thread(verify(image, **rules).execute, {})


def size(made: Any) -> int:
    return sum(len(blob) for blob in made.blobs)


async def test_what_is_handed_on_is_pinned_and_plain_json(registry: RegistryDouble) -> None:
    verified = await run(f"{registry.host}/shop:v1")

    assert json.loads(json.dumps(verified)) == {
        "image": f"{registry.host}/shop@{ALL.digest}",
        "tag": "v1",
        "digests": sorted([ALL.digest, AMD.digest, ARM.digest, digest(AMD.blobs[0]), digest(ARM.blobs[0])]),
        "platforms": ["linux/amd64", "linux/arm64"],
        "created": "2026-01-01T00:00:00Z",
        "size_bytes": size(AMD),
        "source_commit": "c0ffee",
    }


async def test_size_and_time_are_those_of_the_wanted_platforms(registry: RegistryDouble) -> None:
    verified = await run(f"{registry.host}/shop:v1", platforms=["linux/amd64"])

    assert (verified["created"], verified["size_bytes"]) == ("2026-02-02T00:00:00Z", size(AMD))


async def test_the_next_tasks_can_read_it(registry: RegistryDouble) -> None:
    verified = Verified.parse(await run(f"{registry.host}/shop:v1"))

    assert (verified.tag, verified.source_commit) == ("v1", "c0ffee")
    assert digest(AMD.blobs[0]) in verified.digests


@pytest.mark.parametrize(
    "created",
    [
        pytest.param(None, id="left out"),
        pytest.param("0001-01-01T00:00:00Z", id="Go's zero"),
        pytest.param("yesterday", id="no time"),
    ],
)
async def test_what_a_builder_does_not_say_is_null(registry: RegistryDouble, created: str | None) -> None:
    registry.hold("shop", "bare", image(created=created))

    verified = await run(f"{registry.host}/shop:bare")

    assert (verified["created"], verified["source_commit"]) == (None, None)


async def test_the_log_tells_times_to_the_second(registry: RegistryDouble) -> None:
    made = image("linux/amd64", created="2026-02-02T03:04:05.123456789+01:00")
    registry.hold("shop", "v2", made)

    with capture_logs() as logged:
        await run(f"{registry.host}/shop:v2")

    (line,) = [one["event"] for one in logged if "MiB" in one["event"]]
    assert "built 2026-02-02 02:04:05 UTC: " in line


def test_it_runs_without_a_loop_of_its_caller(registry: RegistryDouble) -> None:
    assert verify(f"{registry.host}/shop:v1").execute({})["tag"] == "v1"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        pytest.param({"platforms": ["linux/s390x"]}, "platform linux/s390x is missing", id="platform"),
        pytest.param({"max_size": "10"}, f"has {size(AMD)} bytes, at most 10", id="size"),
        pytest.param({"max_age": "1d"}, "days old", id="age"),
        pytest.param({"max_age": "1d", "max_size": 10}, "breaks 4 rule(s)", id="all that is broken"),
    ],
)
async def test_a_broken_rule_fails_for_good(registry: RegistryDouble, rules: Any, said: str) -> None:
    with pytest.raises(AirflowFailException) as caught:
        await run(f"{registry.host}/shop:v1", **rules)

    assert said in str(caught.value)
    assert ALL.digest in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("@HOST@/shop:v9", "404 MANIFEST_UNKNOWN", id="no such tag"),
        pytest.param("elsewhere.example/shop:v1", "Nothing was sent", id="another host"),
        pytest.param("@HOST@/shop", "expected host/path:tag", id="neither tag nor digest"),
        pytest.param("", "rendered to nothing", id="empty"),
        pytest.param("  ", "rendered to nothing", id="spaces"),
        pytest.param("None", "rendered to nothing", id="None as a template writes it"),
        pytest.param(None, "rendered to nothing", id="None"),
    ],
)
async def test_what_a_person_has_to_mend_fails_for_good(
    registry: RegistryDouble, name: str | None, said: str
) -> None:
    with pytest.raises(AirflowFailException, match=said.replace("(", r"\(")):
        await run(name and name.replace("@HOST@", registry.host))


async def test_an_outage_keeps_the_retries(registry: RegistryDouble) -> None:
    registry.faults = [on("manifests", error(503, "DOWN"))]

    with pytest.raises(RegistryUnavailableError):
        await run(f"{registry.host}/shop:v1")


async def test_a_missing_connection_fails_for_good(registry: RegistryDouble) -> None:
    with pytest.raises(AirflowFailException, match="connection 'other'"):
        await run(f"{registry.host}/shop:v1", registry_conn_id="other")


def test_all_that_may_differ_between_runs_is_templated() -> None:
    template = "{{ params.x }}"
    task = verify(
        template, registry_conn_id=template, platforms=[template], max_size=template, max_age=template
    )

    task.render_template_fields({"params": {"x": "seen"}})

    assert {task.image, task.registry_conn_id, *task.platforms, task.max_size, task.max_age} == {"seen"}  # type: ignore[misc]


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"platforms": ["amd64"]}, id="platforms"),
        pytest.param({"platforms": "amd64"}, id="platforms as text"),
        pytest.param({"max_size": "big"}, id="max_size"),
        pytest.param({"max_age": "soon"}, id="max_age"),
    ],
)
def test_a_rule_written_wrongly_fails_when_the_dag_is_parsed(rules: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        verify("registry.example/shop:v1", **rules)


def test_an_argument_that_is_not_known_fails_when_the_dag_is_parsed() -> None:
    with pytest.raises(TypeError, match="max_sise"):
        verify("registry.example/shop:v1", max_sise="2G")
