"""Try an image out before anybody uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.log import redact  # type: ignore[attr-defined]

from cd_provider.core.image import ImageRef
from cd_provider.core.names import delivery_id, short_hash
from cd_provider.core.release import Verified
from cd_provider.core.smoke import SmokeResult, SmokeRun, smoke, smoke_arguments
from cd_provider.core.traffic import templated
from cd_provider.core.units import seconds
from cd_provider.exceptions import SmokeFailedError
from cd_provider.operators.common import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from cd_provider.adapters.smoke import Labels
    from cd_provider.hooks.docker import EngineSettings

__all__ = ["ImageSmokeOperator", "smoke", "smoke_arguments", "smoke_delivery"]

RUN = tuple(SmokeRun.__dataclass_fields__)


def smoke_delivery(context: Context, *, task_id: str) -> str:
    """Name the label under which the containers of one task are found: what outcome asks to have removed."""
    run = context["dag_run"]
    return delivery_id(dag_id=run.dag_id, run_id=run.run_id, group=task_id)


class ImageSmokeOperator(BaseOperator):
    """
    Run an image in a Docker engine, within limits, and see that it works.

    The container has no capabilities, cannot gain any, and has no network. It should end with exit code 0
    within ``timeout_s``; with ``health``, it should be healthy within ``within_s`` and still be running.
    Gives ``{"image", "exit_code", "ran_s", "last_lines"}`` (``exit_code`` None: still running); when it
    fails, the same is kept as the XCom ``smoke``.

    With ``health={"port": 8080, "path": "/healthz", "within_s": 30}`` it has to answer HTTP 200. For that it
    gets an internal network of its own: no other container and no other machine is in reach, but whatever
    listens on the engine's host is. A worker on the engine's host asks it directly. Any other worker (a
    remote engine, or a worker that itself runs in a container) cannot reach it, and has ``wget`` or ``curl``
    of the image ask from within; an image with neither needs ``health={"command": ["/app", "ping"]}``, which
    is run in the container, needs no network, and works everywhere.

    Container and network are always removed: at the end, on time-outs, when the task is stopped, and, after
    the worker was killed, by the next attempt or by ``ReleaseOutcomeOperator``. The pulled image stays in the
    engine.

    :param image: (templated) what ``ImageVerifyOperator`` gave, or ``repository@sha256:…``; a tag alone is
        refused.
    :param docker_conn_id: (templated) a connection of type ``docker_engine``.
    :param registry_conn_id: (templated) whose login the engine may use, when the image is of its host; None:
        anonymous. The worker asks the registry first, so that no login goes where that connection does not
        allow.
    :param command: (templated) words that replace the image's command; ``entrypoint`` likewise.
    :param environment: (templated) names and texts.
    :param timeout_s: (templated) seconds until it must have ended; without ``health`` only.
    :param pull_timeout_s: (templated) seconds for the pull.
    :param memory: (templated) the limit, such as ``"256Mi"``; no swap. What ``tmpfs`` holds counts.
    :param cpus: (templated) the limit, in cores.
    :param pids: (templated) processes and threads at most.
    :param read_only: no writing outside ``tmpfs`` and the image's own volumes.
    :param tmpfs: (templated) paths in memory and their sizes, ``{"/tmp": "64Mi"}``.
    :param user: (templated) who runs it, such as ``"65532:65532"``; None: as the image says.
    """

    template_fields: Sequence[str] = (
        "image", "docker_conn_id", "registry_conn_id", "command", "entrypoint", "environment", "health",
        "timeout_s", "pull_timeout_s", "memory", "cpus", "pids", "tmpfs", "user",
    )  # fmt: skip

    def __init__(
        self,
        *,
        image: Any,
        docker_conn_id: str = "docker_engine_default",
        registry_conn_id: str | None = None,
        command: str | Sequence[str] | None = None,
        entrypoint: str | Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        health: Mapping[str, Any] | None = None,
        timeout_s: float | str = 60,
        pull_timeout_s: float | str = 300,
        memory: str | int = "256Mi",
        cpus: float | str = 0.5,
        pids: int | str = 128,
        read_only: bool = True,
        tmpfs: Mapping[str, str] | None = None,
        user: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image = image
        self.docker_conn_id = docker_conn_id
        self.registry_conn_id = registry_conn_id
        self.command = command
        self.entrypoint = entrypoint
        self.environment = environment
        self.health = health
        self.timeout_s = timeout_s
        self.pull_timeout_s = pull_timeout_s
        self.memory = memory
        self.cpus = cpus
        self.pids = pids
        self.read_only = read_only
        self.tmpfs = tmpfs
        self.user = user
        self._made: tuple[EngineSettings, Labels] | None = None
        self._stopped = False
        SmokeRun.parse({name: value for name, value in self._run().items() if not templated(value)})

    def _run(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in RUN}

    def execute(self, context: Context) -> dict[str, Any]:
        """Pull, run, look, remove."""
        with airflow_errors(context):
            ref, run = ImageRef.parse(Verified.parse(self.image).image), SmokeRun.parse(self._run())
            result = self._try_out(context, ref, run)
            told = {"image": str(ref), **result.as_dict()}
            told["last_lines"] = [
                str(redact(line)) for line in result.last_lines
            ]  # they go to XCom, unmasked
            if result.fault is None:
                return {name: value for name, value in told.items() if name != "fault"}
            context["ti"].xcom_push(key="smoke", value=told)
            raise SmokeFailedError(sentence(told))

    def _try_out(self, context: Context, ref: ImageRef, run: SmokeRun) -> SmokeResult:
        from cd_provider.adapters.engine import pull
        from cd_provider.adapters.smoke import Labels, remove_leftovers, try_out

        ti = context["ti"]
        task = short_hash([ti.task_id, ti.map_index])
        labels = Labels(smoke_delivery(context, task_id=ti.task_id), task, ti.try_number)
        settings, login = asyncio.run(self._settings(ref))
        self._made = settings, labels
        with settings.open() as engine:
            for one in remove_leftovers(engine, labels.delivery, task=task):
                self.log.warning("Removed what an earlier attempt left: %s", one)
            pull(
                engine,
                ref,
                login=login,
                within_s=seconds(self.pull_timeout_s, name="pull_timeout_s", least=1),
            )
            return try_out(engine, ref, run, labels=labels, stopped=lambda: self._stopped)

    async def _settings(self, ref: ImageRef) -> tuple[EngineSettings, dict[str, str]]:
        """Read the connections; the registry is asked for the image before anybody else gets its login."""
        from cd_provider.hooks.docker import DockerEngineHook
        from cd_provider.hooks.registry import RegistryHook

        settings = await DockerEngineHook(self.docker_conn_id).settings()
        if not self.registry_conn_id:
            return settings, {}
        async with RegistryHook(self.registry_conn_id).client() as registry:
            await registry.manifest(ref.repository, ref.digest or "")
            login, password = registry.settings.login, registry.settings.password
        return settings, {"username": login, "password": password} if login else {}

    def on_kill(self) -> None:
        """Remove the container; the run then ends by itself."""
        from cd_provider.adapters.smoke import remove_leftovers

        self._stopped = True
        if self._made:
            settings, labels = self._made
            with settings.open() as engine:
                remove_leftovers(engine, labels.delivery, task=labels.task)


def sentence(told: Mapping[str, Any]) -> str:
    """Say what was wrong with an image, with its last words."""
    lines = "\n".join(f"  | {line}" for line in told["last_lines"]) or "  (none)"
    return (
        f"{told['image']}: {told['fault']}, after {told['ran_s']:g} s. Its container is removed; nothing was "
        f"deployed. Its last lines:\n{lines}"
    )
