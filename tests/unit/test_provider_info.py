"""What Airflow reads about the package is true of the package."""

from __future__ import annotations

import ast
import importlib
import importlib.resources
import inspect
import json
import os
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from airflow.sdk import BaseHook, BaseNotifier

from cd_provider.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
INFO = get_provider_info()
CONNECTIONS = {one["connection-type"]: one for one in INFO["connection-types"]}
KINDS = {"operators": "Operator", "sensors": "Sensor", "hooks": "Hook", "triggers": "Trigger"}
STANDARD_FIELDS = {"host", "schema", "login", "password", "port"}


def named(kind: str) -> list[str]:
    """Name the modules that the metadata lists."""
    return [module for group in INFO[kind] for module in group["python-modules"]]


def loaded(path: str) -> Any:
    """Import what a dotted path names."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def schema(name: str) -> dict[str, Any]:
    """Read one of Airflow's own schemas."""
    found: dict[str, Any] = json.loads(importlib.resources.files("airflow").joinpath(name).read_text())
    return found


def test_airflow_accepts_it() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_its_name_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert INFO["package-name"] == project["name"]
    point = project["entry-points"]["apache_airflow_provider"]["provider_info"]
    assert loaded(point.replace(":", "."))() == INFO


@pytest.mark.parametrize("kind", KINDS)
def test_every_group_belongs_to_an_integration_that_is_described(kind: str) -> None:
    described = {one["integration-name"] for one in INFO["integrations"]}

    assert {group["integration-name"] for group in INFO[kind]} <= described


@pytest.mark.parametrize(("kind", "suffix"), KINDS.items())
def test_every_module_that_people_can_use_is_listed_and_no_other(kind: str, suffix: str) -> None:
    package = importlib.import_module(f"cd_provider.{kind}")
    found = {
        name
        for _, name, _ in pkgutil.iter_modules(package.__path__, f"cd_provider.{kind}.")
        if any(offered(importlib.import_module(name), suffix))
    }

    assert set(named(kind)) == found


def offered(module: Any, suffix: str) -> Iterator[type]:
    """Give the classes of a module that are meant to be used: of the kind, and no base of others in it."""
    for name, thing in inspect.getmembers(module, inspect.isclass):
        base = name.startswith("_") or name == "ReleaseOperator"  # what those that move a release share
        if thing.__module__ == module.__name__ and name.endswith(suffix) and not base:
            yield thing


@pytest.mark.parametrize("path", INFO["notifications"])
def test_a_notification_is_a_notifier(path: str) -> None:
    assert issubclass(loaded(path), BaseNotifier)


@pytest.mark.parametrize("connection", CONNECTIONS.values(), ids=CONNECTIONS)
class TestConnectionForms:
    """A form that Airflow shows without importing the hook."""

    def test_it_is_the_hooks(self, connection: dict[str, Any]) -> None:
        hook = loaded(connection["hook-class-name"])

        assert issubclass(hook, BaseHook)
        assert hook.conn_type == connection["connection-type"]
        assert hook.hook_name == connection["hook-name"]
        assert hook.conn_name_attr in inspect.signature(hook).parameters
        assert hook.default_conn_name

    def test_airflow_can_draw_it(self, connection: dict[str, Any]) -> None:
        behaviour = connection["ui-field-behaviour"]
        snake_case = {key.replace("-", "_"): value for key, value in behaviour.items()}
        jsonschema.validate(snake_case, schema("customized_form_field_behaviours.schema.json"))
        for field in connection["conn-fields"].values():
            assert field["label"]
            jsonschema.Draft7Validator.check_schema(field["schema"])
            assert "null" in field["schema"]["type"], "a form may leave it empty"

        assert set(behaviour["hidden-fields"]) <= {*STANDARD_FIELDS, "extra", "description"}
        shown = (STANDARD_FIELDS | set(connection["conn-fields"])) - set(behaviour["hidden-fields"])
        assert set(behaviour["relabeling"]) | set(behaviour["placeholders"]) <= shown

    def test_what_it_asks_for_is_read(self, connection: dict[str, Any]) -> None:
        fields, extras, texts = reads(connection["hook-class-name"])

        assert STANDARD_FIELDS - set(connection["ui-field-behaviour"]["hidden-fields"]) <= fields
        assert set(connection["conn-fields"]) == extras
        assert all(texts.count(name) > 1 for name in extras), "listed in EXTRAS, and then read"

    def test_what_is_secret_is_not_shown(self, connection: dict[str, Any]) -> None:
        for name, field in connection["conn-fields"].items():
            secret = any(word in name for word in ("token", "secret", "password")) and "realms" not in name
            assert (field["schema"].get("format") == "password") is secret


def reads(hook: str) -> tuple[set[str], set[str], list[str]]:
    """Name what a hook's files read: fields (``conn.host``), what stands in their ``EXTRAS``, and every text."""
    start = hook.rpartition(".")[0].rpartition(".")[2]
    fields, extras, texts = set[str](), set[str](), list[str]()
    for path in (ROOT / "cd_provider" / "hooks").glob(f"{start}*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(value=ast.Name(id="conn"), attr=name):
                    fields.add(name)
                case ast.Assign(targets=[ast.Name(id="EXTRAS")], value=value):
                    extras |= set(ast.literal_eval(value))
                case ast.Constant(value=str(text)):
                    texts.append(text)
    return fields, extras, texts


def test_airflow_shows_it_once_it_is_installed(tmp_path: Path) -> None:
    installed = tmp_path / "airflow_provider_cd-0.0.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: airflow-provider-cd\nVersion: 0.0.0\n")
    point = "provider_info = cd_provider.get_provider_info:get_provider_info"
    (installed / "entry_points.txt").write_text(f"[apache_airflow_provider]\n{point}\n")
    script = """
import json
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
found = (manager.connection_form_widgets, manager.field_behaviours, manager.notification)
print(json.dumps([list(names) for names in found]))
"""
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    fields, forms, notifications = json.loads(done.stdout.splitlines()[-1])
    for kind, connection in CONNECTIONS.items():
        assert {f"extra__{kind}__{name}" for name in connection["conn-fields"]} <= set(fields)
    assert set(CONNECTIONS) <= set(forms)
    assert set(INFO["notifications"]) <= set(notifications)


def test_the_forms_of_others_are_left_to_them() -> None:
    assert set(CONNECTIONS) == {"prometheus", "oci_registry", "docker_engine"}


def test_no_option_is_announced_that_nobody_reads() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "cd_provider").rglob("*.py"))

    for section, content in INFO.get("config", {}).items():
        for option in content["options"]:
            assert f'"{section}", "{option}"' in text
