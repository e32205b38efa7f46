"""Smoke runs in the stack's real Docker engine."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk.exceptions import AirflowFailException

from cd_provider.adapters.smoke import remove_leftovers
from cd_provider.core.names import ATTEMPT, DELIVERY, delivery_id
from cd_provider.exceptions import EngineUnavailableError
from cd_provider.operators.smoke import ImageSmokeOperator
from tests.registries.debian import LOGIN, PASSWORD, debian_registry, password_file
from tests.stack.certificates import tls_file
from tests.stack.images import docker_client
from tests.stack.probe import push_probe
from tests.stack.shop import deploy_shop

if TYPE_CHECKING:
    from airflow.sdk import Context
    from docker import APIClient

    from tests.stack import Stack

ROOT = Path(__file__).parents[2]
RUN = "run"


@pytest.fixture(scope="module")
def probe(stack: Stack) -> str:
    return push_probe(stack)


@pytest.fixture(scope="module")
def probe_with_wget(stack: Stack) -> str:
    return push_probe(stack, with_wget=True)


@pytest.fixture
def engine(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[APIClient]:
    """The engine; at the end nothing of ours may be left in it."""
    told = {"conn_type": "docker_engine", "host": stack.docker_host}
    monkeypatch.setenv("AIRFLOW_CONN_DOCKER_ENGINE_DEFAULT", json.dumps(told))
    with docker_client(stack) as client:
        yield client.api
        assert ours(client.api) == ([], [])


def ours(engine: APIClient) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every container and network that carries our label."""
    label = {"label": DELIVERY}
    return engine.containers(all=True, filters=label), engine.networks(filters=label)


class Task:
    """One attempt of a smoke task, in this process."""

    def __init__(self, image: Any, *, attempt: int = 1, **more: Any) -> None:
        self.operator = ImageSmokeOperator(task_id="smoke", image=image, **more)
        self.attempt = attempt
        self.pushed: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        def push(key: str, value: Any) -> None:
            self.pushed[key] = value

        ti = SimpleNamespace(task_id="smoke", map_index=-1, try_number=self.attempt, xcom_push=push)
        run = SimpleNamespace(dag_id="dag", run_id=RUN)
        return self.operator.execute(cast("Context", {"ti": ti, "dag_run": run}))

    def fail(self, match: str) -> list[str]:
        """Run, expect this failure, give the last lines."""
        with pytest.raises(AirflowFailException, match=match):
            self.run()
        return list(self.pushed.get("smoke", {}).get("last_lines", []))


def wait_for(seen: Callable[[], Any], within_s: float = 30) -> Any:
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        if found := seen():
            return found
    raise AssertionError(f"nothing was seen within {within_s:g} s")


# --- good and bad images --------------------------------------------------------------------------------------


def test_a_program_that_ends_well_passes(engine: APIClient, probe: str) -> None:
    result = Task(probe, command=["say", "one", "two"]).run()

    assert result == {"image": probe, "exit_code": 0, "ran_s": result["ran_s"], "last_lines": ["one", "two"]}


def test_a_healthy_service_passes_while_it_runs(engine: APIClient, probe: str) -> None:
    result = Task(probe, health={"port": 8080, "path": "/healthz"}).run()

    assert (result["image"], result["exit_code"]) == (probe, None)


def test_the_last_lines_of_a_crash_are_shown(engine: APIClient, probe: str) -> None:
    task = Task(probe, command=["fail", *(f"line {n}" for n in range(30)), "no database"])

    lines = task.fail(r"ended with exit code 3, expected 0, after .*\n(.*\n)*  \| no database")

    assert lines == [*(f"line {n}" for n in range(11, 30)), "no database"]
    assert task.pushed["smoke"]["exit_code"] == 3


def test_a_service_that_ends_is_not_healthy(engine: APIClient, probe: str) -> None:
    task = Task(probe, command="fail early", health={"port": 8080, "path": "/healthz"})

    assert task.fail("ended with exit code 3 before it was healthy") == ["early"]


def test_a_service_that_answers_503_is_not_healthy(engine: APIClient, probe: str) -> None:
    Task(probe, health={"port": 8080, "path": "/sick", "within_s": 2}).fail(
        r"not healthy within 2 s \(within_s=\): GET :8080/sick: 503"
    )


def test_a_program_that_does_not_end_is_stopped(engine: APIClient, probe: str) -> None:
    assert Task(probe, command="sleep", timeout_s=1).fail(r"still running after 1 s") == ["sleeping"]


def test_an_image_that_cannot_start_fails(engine: APIClient, probe: str) -> None:
    Task(probe, entrypoint="/nothing").fail("/nothing: no such file or directory")


def test_an_image_that_is_not_there_fails(engine: APIClient, stack: Stack) -> None:
    Task(f"{stack.registry}/probe@sha256:{'0' * 64}").fail("could not pull it: manifest for .* not found")


# --- limits ---------------------------------------------------------------------------------------------------


def test_too_much_memory_is_named(engine: APIClient, probe: str) -> None:
    Task(probe, command="hog", memory="32Mi").fail("killed for its memory: the limit is 32Mi")


def test_processes_are_limited(engine: APIClient, probe: str) -> None:
    lines = Task(probe, command="fork", pids=24).fail("ended with exit code")

    assert "resource temporarily unavailable" in " ".join(lines)


@pytest.mark.parametrize("user", [None, "0:0"])
def test_it_has_no_powers_and_can_gain_none(engine: APIClient, probe: str, user: str | None) -> None:
    lines = Task(probe, command="who", user=user).run()["last_lines"]

    told = dict(line.split(": ") for line in lines)
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"
    assert told["Uid"].split()[0] == (user or "65532").partition(":")[0]


def test_its_root_is_read_only_but_for_tmp(engine: APIClient, probe: str) -> None:
    lines = Task(probe, command="write /here", user="0:0").fail("ended with exit code 1")

    assert "read-only file system" in lines[0]
    assert Task(probe, command="write /tmp/here").run()["exit_code"] == 0
    assert Task(probe, command="write /here", user="0:0", read_only=False).run()["exit_code"] == 0


@pytest.fixture
def neighbour(engine: APIClient, probe: str) -> Iterator[str]:
    """A service in the engine's usual network; gives its address."""
    engine.pull(probe)
    made = engine.create_container(probe, ["serve"])["Id"]
    engine.start(made)
    yield f"{engine.inspect_container(made)['NetworkSettings']['IPAddress']}:8080"
    engine.remove_container(made, force=True)


@pytest.fixture
def machine(stack: Stack, namespace: str, v1: str) -> str:
    """A service that is no container of this engine, but a pod; gives its address."""
    deploy_shop(stack, namespace, v1, replicas=1)
    found = json.loads(stack.kubectl("get", "pods", "-n", namespace, "-o", "json"))
    return f"{found['items'][0]['status']['podIP']}:8080"


@pytest.mark.parametrize("target", ["neighbour", "machine"])
def test_nobody_is_reachable_from_it(
    engine: APIClient, probe: str, target: str, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue(target)
    usual = engine.create_container(probe, ["dial", address])["Id"]
    engine.start(usual)
    assert engine.wait(usual)["StatusCode"] == 0
    engine.remove_container(usual)

    lines = Task(probe, command=["dial", address]).fail("ended with exit code 1")
    served = Task(probe, health={"port": 8080, "path": f"/dial?to={address}"}).run()

    assert "network is unreachable" in lines[0]
    assert served["exit_code"] is None  # healthy, and /dial is that only when nobody answered


def test_dial_is_not_healthy_where_somebody_answers_or_refuses(engine: APIClient, probe: str) -> None:
    """Shows that the test above could fail."""
    for port in (8080, 8081):
        health = {"port": 8080, "path": f"/dial?to=127.0.0.1:{port}", "within_s": 3}
        Task(probe, health=health).fail(r"not healthy within 3 s .*: GET :8080.*502")


# --- a worker elsewhere ---------------------------------------------------------------------------------------

ELSEWHERE = """
import json, sys
sys.path.insert(0, {root!r})
from tests.integration.test_smoke import Task
from airflow.sdk.exceptions import AirflowFailException
try:
    print(json.dumps(Task({image!r}, health={health!r}).run()))
except AirflowFailException as err:
    print(json.dumps(str(err)))
"""


def run_elsewhere(image: str, health: dict[str, Any]) -> Any:
    """Run the task where the engine's socket is, but none of its networks: as a worker in a container."""
    script = ELSEWHERE.format(root=str(ROOT), image=image, health=health)
    argv = ["unshare", "--net", sys.executable, "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT, timeout=120)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_worker_elsewhere_has_the_image_ask_itself(engine: APIClient, probe_with_wget: str) -> None:
    good = run_elsewhere(probe_with_wget, {"port": 8080, "path": "/healthz"})
    bad = run_elsewhere(probe_with_wget, {"port": 8080, "path": "/sick", "within_s": 2})

    assert good["image"] == probe_with_wget
    assert "GET :8080/sick: its own wget ended with 1" in bad


def test_a_worker_elsewhere_says_when_it_cannot_ask(engine: APIClient, probe: str) -> None:
    assert "this worker is not on the engine's host" in run_elsewhere(
        probe, {"port": 8080, "path": "/healthz"}
    )


def test_a_command_of_the_image_tells_its_health_from_anywhere(engine: APIClient, probe: str) -> None:
    own = ["/probe", "get", "http://127.0.0.1:8080/healthz"]

    assert run_elsewhere(probe, {"command": own})["image"] == probe
    assert Task(probe, health={"command": own}).run()["image"] == probe
    Task(probe, health={"command": ["/nothing"], "within_s": 1}).fail(
        "/nothing ended with 12[67]: the image may"
    )


# --- a remote engine ------------------------------------------------------------------------------------------


class TlsFront:
    """Puts TLS before the engine's socket, as a remote engine has it: who shows no certificate is sent away."""

    def __init__(self, stack: Stack) -> None:
        self._socket = stack.docker_host.removeprefix("unix://")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls_file("ca.pem"))
        self._context.load_cert_chain(tls_file("apiserver.pem"), tls_file("apiserver.key"))
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                Thread(target=self._join, args=(self._server.accept()[0],), daemon=True).start()

    def _join(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self._socket)
            with self._context.wrap_socket(plain, server_side=True) as client:
                asked = Thread(target=self._copy, args=(client, engine), daemon=True)
                asked.start()
                self._copy(engine, client)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def remote(stack: Stack, engine: APIClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Gives a function that makes the connection one to a remote engine, with these files."""
    front = TlsFront(stack)

    def connect(**files: str) -> None:
        paths = {name: str(tls_file(file)) for name, file in files.items()}
        told = {"conn_type": "docker_engine", "host": "tcp://127.0.0.1", "port": front.port, "extra": paths}
        monkeypatch.setenv("AIRFLOW_CONN_DOCKER_ENGINE_DEFAULT", json.dumps(told))

    yield connect
    front.close()


def test_an_engine_behind_tls_is_used(probe: str, remote: Callable[..., None]) -> None:
    remote(ca_file="ca.pem", cert_file="admin.pem", key_file="admin.key")

    assert Task(probe, command="say hello").run()["last_lines"] == ["hello"]


def test_an_engine_behind_tls_wants_our_certificate(probe: str, remote: Callable[..., None]) -> None:
    remote(ca_file="ca.pem")

    with pytest.raises(EngineUnavailableError, match="does not answer"):
        Task(probe, command="say hello").run()


# --- nothing is left ------------------------------------------------------------------------------------------

WORKER = """
import sys
sys.path.insert(0, {root!r})
from tests.integration.test_smoke import Task
Task({image!r}, command={command!r}, health={health!r}, timeout_s=300).run()
"""


@contextmanager
def killed_worker(engine: APIClient, image: str, health: dict[str, Any] | None) -> Iterator[None]:
    """Kill -9 a worker while its container runs."""
    script = WORKER.format(root=str(ROOT), image=image, command="sleep", health=health)
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) as worker:
        try:
            wait_for(lambda: [one for one in ours(engine)[0] if one["State"] == "running"])
        finally:
            os.kill(worker.pid, signal.SIGKILL)
    yield


HEALTH = {"port": 8080, "path": "/healthz", "within_s": 300}


def test_what_a_killed_worker_left_goes_at_the_next_attempt(engine: APIClient, probe: str) -> None:
    with killed_worker(engine, probe, HEALTH):
        (left,), networks = ours(engine)
        assert (left["State"], left["Labels"][ATTEMPT], len(networks)) == ("running", "1", 1)

        assert Task(probe, command="say hello", attempt=2).run()["last_lines"] == ["hello"]

        assert ours(engine) == ([], [])


def test_what_a_killed_worker_left_goes_with_its_delivery(engine: APIClient, probe: str) -> None:
    delivery = delivery_id(dag_id="dag", run_id=RUN, group="smoke")

    with killed_worker(engine, probe, HEALTH):
        assert remove_leftovers(engine, "d-somebody-else") == []
        assert len(remove_leftovers(engine, delivery)) == 2

        assert ours(engine) == ([], [])
        assert remove_leftovers(engine, delivery) == []


def test_a_stopped_task_removes_its_container_at_once(engine: APIClient, probe: str) -> None:
    task, faults = Task(probe, command="sleep", timeout_s=300), []

    def run() -> None:
        try:
            task.run()
        except AirflowFailException as err:
            faults.append(str(err))

    thread = Thread(target=run)
    thread.start()
    wait_for(lambda: [one for one in ours(engine)[0] if one["State"] == "running"])
    task.operator.on_kill()
    thread.join(timeout=30)

    assert ours(engine) == ([], [])
    assert len(faults) == 1


# --- who may see the login ------------------------------------------------------------------------------------


@pytest.fixture
def closed_registry(
    stack: Stack, engine: APIClient, probe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A registry that asks for a password, with the image in it; gives the image there."""
    with debian_registry(tmp_path, auth=password_file(tmp_path)) as host:
        login = {"username": LOGIN, "password": PASSWORD}
        engine.pull(probe)
        engine.tag(probe, f"{host}/probe", "v1")
        for event in engine.push(f"{host}/probe", "v1", auth_config=login, stream=True, decode=True):
            assert "error" not in event
        told = {"conn_type": "oci_registry", "host": host, "login": LOGIN, "extra": {"insecure_http": True}}
        for name, password in (("closed", PASSWORD), ("wrong", "guess")):
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({**told, "password": password}))
        yield f"{host}/probe@{probe.partition('@')[2]}"
        engine.remove_image(f"{host}/probe:v1")


def test_the_registrys_connection_lends_its_login(engine: APIClient, closed_registry: str) -> None:
    image = closed_registry

    # In this order: an engine that has a digest asks nobody for it again.
    Task(image, command="say hello").fail("could not pull it: .*no basic auth")
    Task(image, command="say hello", registry_conn_id="wrong").fail("does not let the login .* read this")
    assert Task(image, command="say hello", registry_conn_id="closed").run()["image"] == image


def test_a_login_is_not_sent_to_another_host(engine: APIClient, closed_registry: str, probe: str) -> None:
    Task(probe, command="say hello", registry_conn_id="closed").fail("Nothing was sent")
