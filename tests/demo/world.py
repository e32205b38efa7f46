"""What the demo needs around it: the stack, an Airflow, a Slack, three images, a shop. All real but for Slack."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cd_provider.core.access import role
from tests.integration.deliveries import connections
from tests.stack import Stack, StackError, processes, settings, up
from tests.stack.access import service_account
from tests.stack.airflow import AirflowStack
from tests.stack.airflow_api import DONE
from tests.stack.airflow_settings import REPOSITORY, free_port, remembered
from tests.stack.images import push_shop
from tests.stack.load import Load
from tests.stack.session_process import SessionProcess
from tests.stack.shop import deploy_shop, remove, wait_for_counters
from tests.stack.slack_control import SlackControl
from tests.stack.stack import down

BUILD = REPOSITORY / "build" / "demo"
NAMESPACE, DAG_ID, RATE_PER_S = "shop", "shop_delivery", 50.0
VERSIONS = {"v1": 0.0, "v2": 0.0, "v3": 0.3}  # version → share of its answers that are errors


@dataclass
class World:
    """Everything that the demo drives. ``images``: version → reference by digest."""

    stack: Stack
    airflow: AirflowStack
    slack: SlackControl
    images: dict[str, str]

    def load(self, name: str = "load") -> Load:
        """Send the shop requests through the gateway, for an hour at most."""
        return Load(
            url=self.stack.gateway_url + "/", host_header=f"{NAMESPACE}.local", rate_per_s=RATE_PER_S,
            out=BUILD / f"{name}.jsonl", max_s=3600,
        )  # fmt: skip

    def stable_image(self) -> str:
        """Read which image the shop's Deployment asks for."""
        path = "jsonpath={.spec.template.spec.containers[0].image}"
        return self.stack.kubectl("-n", NAMESPACE, "get", "deployment", "shop", "-o", path).strip()


class Builder:
    """
    Bring the world up, and take down what was not up before.

    :param port: of Airflow's UI. :param keep: leave everything running at the end.
    :param say: told in a few words what happens.
    """

    def __init__(self, *, port: int, keep: bool, say: Callable[[str], None]) -> None:
        self.keep, self.say = keep, say
        self._stack_was_up = True
        self._slack = slack_process()
        self._airflow = AirflowStack(
            home=BUILD / "airflow",
            dags_folder=REPOSITORY / "dags",
            port=port,
            stock_settings=True,
            progress=say,
        )

    def up(self) -> World:
        """Bring it up; what runs already is used as it is, and the shop starts anew with v1."""
        self._stack_was_up = bool(processes.all_running())
        stack = up()
        self.say("the stack is up: Kubernetes, gateway, registry, Docker engine, Prometheus")
        images = {version: self._push(stack, version, share) for version, share in VERSIONS.items()}
        self._start_airflow()
        self._slack.start()
        slack = SlackControl(f"http://{settings.HOST}:{slack_port()}")
        slack.wait_ready()
        self._reset_shop(stack, images["v1"])
        for conn_id, fields in all_connections(stack, slack).items():
            self._airflow.api().put_connection(conn_id, fields)
        return World(stack, self._airflow, slack, images)

    def down(self) -> None:
        """Stop what was started here, the stack only when it was not up before."""
        if self.keep:
            self.say("everything is left running, as --keep asks; `make stack-down` stops the stack")
            return
        self.say("stopping Airflow and the Slack double")
        self._airflow.stop()
        self._slack.stop()
        if self._stack_was_up:
            self.say("the stack was up before the demo and is left so; `make stack-down` stops it")
        else:
            down()

    def _push(self, stack: Stack, version: str, share: float) -> str:
        image = push_shop(stack, version, error_share=share)
        what = f", which fails {share:.0%} of its requests" if share else ""
        self.say(f"pushed {stack.registry}/shop:{version}{what}")
        return image

    def _start_airflow(self) -> None:
        if not self._airflow.health()["api-server"]:
            check_free(self._airflow.port)
        self._airflow.start()
        api = self._airflow.api()
        api.wait_for_dag(DAG_ID)
        for run in api.dag_runs(DAG_ID):
            if run["state"] not in DONE:
                self.say(f"ending {run['dag_run_id']}, which an earlier demo left behind")
                api.mark_run(DAG_ID, run["dag_run_id"], "failed")

    def _reset_shop(self, stack: Stack, image: str) -> None:
        if stack.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name").strip():
            self.say(f"removing the namespace {NAMESPACE} of an earlier demo")
            remove(stack, NAMESPACE, wait=True)
        deploy_shop(stack, NAMESPACE, image)
        wait_for_counters(stack, NAMESPACE)
        self.say(f"three pods of v1 serve at {stack.gateway_url} for {NAMESPACE}.local")


def all_connections(stack: Stack, slack: SlackControl) -> dict[str, dict[str, Any]]:
    """Give the connections as the UI shows them; the cluster's is an account of exactly the documented role."""
    account = service_account(stack, NAMESPACE, "airflow", role_yaml_rules=role(NAMESPACE)["rules"])
    engine = {"conn_type": "docker_engine", "host": stack.docker_host}
    told = {"conn_type": "slack", "password": slack.token, "extra": {"base_url": slack.url}}
    return {**connections(stack, account), "docker_engine_default": engine, "slack_default": told}


def slack_port() -> int:
    """Where the Slack double listens: a free port, picked once."""
    return int(remembered(BUILD / "slack.json", {"port": str(free_port())})["port"])


def slack_process() -> SessionProcess:
    """The Slack double as a process of its own, so that it outlives a demo that is left running."""
    BUILD.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "tests.stack.slack_double", "--port", str(slack_port())]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
    return SessionProcess(name="slack", folder=BUILD / "parts", argv=argv, env=env, cwd=BUILD)


def check_free(port: int) -> None:
    """
    Make sure that Airflow can listen.

    :raises StackError: somebody else does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, port))
        except OSError as err:
            raise StackError(
                f"port {port} on {settings.HOST}, for Airflow's UI, is taken: {err}. End that process, or choose "
                "another port: make demo ARGS=--port=8081"
            ) from err


def report_path() -> Path:
    """Where the figures go."""
    return BUILD / "report.json"
