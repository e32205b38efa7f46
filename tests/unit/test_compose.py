"""docker-compose.yml, read as text: its images are not pulled by any test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cd_provider.core.access import role

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
LOCAL = "127.0.0.1:5000/", "cd-provider-demo/"


def pinned(package: str) -> str:
    """The version of ``package`` in constraints.txt."""
    found = re.search(rf"^{package}==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found, f"{package} is not pinned"
    return found[1]


def mounts(service: dict[str, Any]) -> list[str]:
    return [mount.split(":")[0] for mount in service.get("volumes", [])]


def images() -> set[str]:
    """Every image that is pulled: of services, and of the Dockerfiles in the file."""
    of_services = {service["image"] for service in SERVICES.values()}
    of_builds = set(re.findall(r"^\s*FROM (\S+)", TEXT, re.MULTILINE)) - {"scratch"}
    return {image for image in of_services | of_builds if not image.startswith(LOCAL)}


@pytest.mark.parametrize("name", SERVICES)
def test_every_mount_is_there(name: str) -> None:
    for source in mounts(SERVICES[name]):
        assert source in FILE["volumes"] or (source.startswith("./") and (ROOT / source).exists()), source


@pytest.mark.parametrize("name", SERVICES)
def test_every_build_context_is_there(name: str) -> None:
    build = SERVICES[name].get("build")
    folder = ROOT / build["context"] if build else ROOT
    copied = re.findall(r"^COPY (?!--from)(.+)$", build["dockerfile_inline"], re.MULTILINE) if build else []
    for line in copied:
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        assert all((folder / source).exists() for source in sources), line


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_or_is_said_to_be_one_shot(name: str) -> None:
    one_shot = re.search(rf"^  # one-shot: [^\n]+\n(  shop-v\d:\n(    .*\n)+)*  {name}:$", TEXT, re.MULTILINE)

    assert bool(SERVICES[name].get("healthcheck")) != bool(one_shot)


@pytest.mark.parametrize("name", SERVICES)
def test_what_waits_waits_for_something_that_can_come_true(name: str) -> None:
    for other, wait in dict(SERVICES[name].get("depends_on", {})).items():
        healthy = bool(SERVICES[other].get("healthcheck"))
        assert wait["condition"] == ("service_healthy" if healthy else "service_completed_successfully")


def test_ports_are_of_this_machine_alone_and_differ() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    hosts, ports, _ = zip(*(port.split(":") for port in published), strict=True)

    assert set(hosts) == {"127.0.0.1"}
    assert len(set(ports)) == len(ports)


def test_images_are_pinned_by_tag() -> None:
    for image in images():
        tag = image.rpartition("/")[2].partition(":")[2]
        assert re.match(r"v?\d+\.\d+", tag), image


def test_airflow_is_the_one_that_the_tests_run_with() -> None:
    version = pinned("apache-airflow")

    assert f"FROM apache/airflow:{version}\n" in TEXT
    assert f"apache-airflow=={version} " in TEXT
    assert {service["image"] for service in SERVICES.values() if "airflow" in service["image"]} == {
        f"cd-provider-demo/airflow:{version}"
    }


def test_what_the_containers_run_is_mounted() -> None:
    for name in ("airflow-init", "cluster-setup"):
        script = SERVICES[name]["entrypoint"][1]
        mounted = {mount.split(":")[1]: ROOT / mount.split(":")[0] for mount in SERVICES[name]["volumes"]}
        wanted = {script, *re.findall(r"/setup/[\w.-]+", mounted[script].read_text())}
        assert wanted <= set(mounted)


@pytest.mark.parametrize("path", sorted((ROOT / "docs/compose").glob("*.yaml")), ids=lambda path: path.name)
def test_its_files_are_yaml_and_mounted(path: Path) -> None:
    assert all(yaml.safe_load_all(path.read_text()))
    assert f"./docs/compose/{path.name}:" in TEXT


def test_airflow_may_do_there_exactly_what_is_documented() -> None:
    objects = list(yaml.safe_load_all((ROOT / "docs/compose/accounts.yaml").read_text()))

    bound = [one for one in objects if one["kind"].endswith("RoleBinding")]
    of_airflow = [one["roleRef"]["name"] for one in bound if one["subjects"][0]["name"] == "airflow"]

    assert of_airflow == [role("shop")["metadata"]["name"]]
    assert role("shop") in objects


def test_the_demos_gate_finds_its_numbers_there() -> None:
    asked = re.search(r"(\w+)\{(.*)'", (ROOT / "dags/shop_delivery.py").read_text())
    prometheus = yaml.safe_load((ROOT / "docs/compose/prometheus.yaml").read_text())
    relabeled = {rule.get("target_label") for rule in prometheus["scrape_configs"][0]["relabel_configs"]}

    assert asked is not None
    assert f'"{asked[1]}{{' in (ROOT / "tests/stack/go/shop/metrics.go").read_text()
    assert set(re.findall(r"(\w+)=", asked[2])) <= relabeled
