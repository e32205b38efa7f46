"""A real Airflow as its separate processes, on the loopback, for as long as somebody wants it."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import httpx

from tests.stack.airflow_api import AirflowApi
from tests.stack.airflow_settings import environment, free_port, remembered
from tests.stack.errors import StackError
from tests.stack.postgres import Postgres
from tests.stack.session_process import SessionProcess, all_stats, command_line, wait_until

PARTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server", "--workers", "1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),  # its log server would listen on every interface
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
_ENDED = "Received executor event with state success"
HEALTH_NAMES = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}


class AirflowStack:
    """
    Start, stop, kill and question one private Airflow.

    :param home: its folder: database, logs, keys, passwords. A later stack with the same home goes on with
        them.
    :param dags_folder: the Dag files; ``home/dags`` when None.
    :param port: of the api-server on 127.0.0.1; 0 picks a free one, once for each home.
    :param database: ``sqlite``, or ``postgres`` for tests that kill things.
    :param postgres: a running server to make the database in; None starts one below ``home``.
    :param connections: id → fields (see ``AirflowApi.put_connection``), put in through the REST API.
    :param config: ``AIRFLOW__SECTION__KEY`` → value, over the defaults of ``airflow_settings``.
    :param env: anything else that the parts need in their environment.
    :param stock_settings: leave ``scheduler_idle_sleep_time`` as Airflow ships it.
    :param users: name → role; each gets a random password in ``home/passwords.json``.
    :param python: the interpreter that has Airflow.
    :param progress: told in a few words what happens.
    """

    def __init__(
        self,
        *,
        home: Path,
        dags_folder: Path | None = None,
        port: int = 8080,
        database: Literal["sqlite", "postgres"] = "sqlite",
        postgres: Postgres | None = None,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        config: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        stock_settings: bool = False,
        users: Mapping[str, str] | None = None,
        python: str = sys.executable,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.home, self.python, self.progress = home.resolve(), python, progress
        self.dags_folder = (dags_folder or self.home / "dags").resolve()
        self.connections, self.users = dict(connections or {}), dict(users or {"admin": "admin"})
        self.port = port or int(remembered(self.home / "port.json", {"port": str(free_port())})["port"])
        self.url = f"http://127.0.0.1:{self.port}"
        self._database = database
        self._own_postgres = database == "postgres" and postgres is None
        self.postgres = Postgres(folder=self.home / "postgres", port=0) if self._own_postgres else postgres
        self._given = {"config": dict(config or {}), "env": dict(env or {})}
        self._stock_settings = stock_settings
        self._api: AirflowApi | None = None
        self.parts: dict[str, SessionProcess] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self, *, timeout_s: float = 120.0) -> None:
        """Bring up all parts, keep those that live; come back when all are healthy and connections exist."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        compile_bytecode(self.python, self.progress)
        self._passwords()
        if self._own_postgres and self.postgres:
            self.progress("PostgreSQL starts")
            self.postgres.start()
        self._prepare()
        began = time.monotonic()
        self.migrate()
        for name in PARTS:
            self.start_part(name, wait=False)
        self.wait_healthy(timeout_s=timeout_s)
        self.progress(f"Airflow is up after {time.monotonic() - began:.0f} s at {self.url}")
        for conn_id, fields in self.connections.items():
            self.api().put_connection(conn_id, fields)

    def stop(self, *, grace_s: float = 6.0) -> None:
        """End all parts, also those that an earlier process started; what outlives ``grace_s`` is killed."""
        if self._api:
            self._api.close()
            self._api = None
        self._prepare()
        for part in self.parts.values():
            part.terminate()
        deadline = time.monotonic() + grace_s
        for part in self.parts.values():
            part.stop(grace_s=max(0.0, deadline - time.monotonic()))
        if self._own_postgres and self.postgres:
            self.postgres.stop()

    def remove(self) -> None:
        """Stop, and delete the home with all that is in it."""
        self.stop()
        if self._own_postgres and self.postgres:
            self.postgres.remove()
        shutil.rmtree(self.home, ignore_errors=True)

    def migrate(self) -> None:
        """Create the database, or bring it up to date (``airflow db migrate``)."""
        self.progress("Airflow's database is made or checked")
        env = self.env()
        done = subprocess.run(
            [self.python, "-m", "airflow", "db", "migrate"],
            check=False,
            env=env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            start_new_session=True,
        )
        if done.returncode:
            raise StackError(
                f"airflow db migrate gave {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
            )

    # Parts: "api-server", "scheduler", "dag-processor", "triggerer"

    def start_part(self, part: str, *, wait: bool = True) -> None:
        """Start one part unless it lives; with ``wait`` come back when it is healthy."""
        self._part(part).start()
        if wait:
            self.wait_healthy(part)

    def kill(self, part: str, sig: int = signal.SIGKILL) -> None:
        """Send a signal to a part and all its children; a scheduler takes its running tasks with it."""
        self._part(part).kill(sig)

    def restart(self, part: str) -> None:
        """Stop one part politely and start it again."""
        self._part(part).stop()
        self.start_part(part)

    def pause_part(self, part: str) -> None:
        """Freeze a part and its children."""
        self._part(part).pause()

    def resume_part(self, part: str) -> None:
        """Let a frozen part go on."""
        self._part(part).resume()

    def logs(self, part: str) -> str:
        """All that a part wrote so far."""
        log = self._part(part).log
        return log.read_text(errors="replace") if log.exists() else ""

    def wait_for_question(
        self, dag_id: str, run_id: str, task_id: str, *, timeout_s: float = 120
    ) -> dict[str, Any]:
        """
        Wait until a task awaits a person's answer, and the scheduler has noted that its process ended; give the task.

        Airflow 3.3.2 takes a task whose answer overtakes that note for a killed one, and asks once more.
        """
        asked = self.api().wait_for_task(dag_id, run_id, task_id, ["awaiting_input"], timeout_s=timeout_s)
        key = f"dag_id='{dag_id}', task_id='{task_id}', run_id='{run_id}', try_number={asked['try_number']},"

        def noted() -> bool:
            return any(_ENDED in line and key in line for line in self.logs("scheduler").splitlines())

        if not wait_until(noted, timeout_s=timeout_s):
            raise StackError(f"the scheduler has not noted the pause of {key} within {timeout_s:g} s")
        return asked

    def _part(self, name: str) -> SessionProcess:
        if name not in PARTS:
            raise StackError(f"no part {name!r} of Airflow; there are {', '.join(PARTS)}")
        self._prepare()
        return self.parts[name]

    # Health

    def health(self) -> dict[str, bool]:
        """
        Part → whether it works: it lives and (all but the api-server) its heartbeat is newer than its start.

        Airflow itself calls a killed scheduler healthy for 30 s more.
        """
        try:
            answer = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5, trust_env=False, verify=False)
            seen = answer.json() if answer.status_code == 200 else {}
        except (httpx.HTTPError, ValueError):
            seen = {}
        return {name: self._part(name).alive and self._works(name, seen) for name in PARTS}

    def _works(self, part: str, seen: Mapping[str, Any]) -> bool:
        if part == "api-server":
            return bool(seen) and seen["metadatabase"]["status"] == "healthy"
        name = HEALTH_NAMES[part]
        info: Mapping[str, Any] = seen.get(name) or {}
        beat = info.get(f"latest_{name}_heartbeat")
        return beat is not None and info["status"] == "healthy" and _parse(beat) >= self._started_at(part)

    def _started_at(self, part: str) -> datetime:
        return datetime.fromtimestamp(self._part(part).record.stat().st_mtime, UTC)

    def wait_healthy(self, *parts: str, timeout_s: float = 120.0) -> None:
        """
        Wait until these parts (all, when none is named) work.

        :raises StackError: one died or was not healthy in time, with the end of its log.
        """
        wanted = parts or tuple(PARTS)
        health: dict[str, bool] = {}

        def settled() -> bool:
            health.update(self.health())
            return all(health[p] for p in wanted) or not all(self._part(p).alive for p in wanted)

        wait_until(settled, timeout_s=timeout_s, every_s=0.25)
        if ill := [part for part in wanted if not health[part]]:
            tails = "\n".join(f"--- {part} ---\n{self._part(part).tail()}" for part in ill)
            raise StackError(f"not healthy after at most {timeout_s:g} s: {', '.join(ill)}\n{tails}")

    # Use

    def api(self, user: str | None = None) -> AirflowApi:
        """A session with the REST API; the one of the first user is shared and closed by ``stop``."""
        if user is not None:
            return AirflowApi(url=self.url, user=user, password=self.password(user))
        if self._api is None:
            first = next(iter(self.users))
            self._api = AirflowApi(url=self.url, user=first, password=self.password(first))
        return self._api

    def password(self, user: str = "admin") -> str:
        """The password with which ``user`` logs in, also at the UI."""
        return self._passwords()[user]

    def story(self, dag_id: str, run_id: str) -> str:
        """Tell what became of a run's tasks, and how their logs end: what somebody would look at after a red test."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
        logs = sorted(folder.rglob("*.log*"), key=lambda path: path.stat().st_mtime)
        told = [f"{dag_id} {run_id}"]
        with suppress(Exception):  # whatever is broken: the logs tell more than a second fault would
            told.append(str(self.api().states(dag_id, run_id)))
        for log in logs:
            told += [f"--- {log.relative_to(folder)}", log.read_text(errors="replace")[-3000:]]
        return "\n".join(told)

    def worker_pids(self, dag_id: str, run_id: str, task_id: str) -> list[int]:
        """
        The processes that run a task now, LocalExecutor's supervisor and the task itself; maybe none.

        Both carry the task instance's id in their process title. Killing the supervisor too is what the loss
        of a worker looks like; killing the task alone is reported by the supervisor at once.
        """
        return self.pids_of(self.api().task_instance(dag_id, run_id, task_id)["id"])

    def pids_of(self, ti_id: str) -> list[int]:
        """The same of a task instance whose id is known; Airflow is not asked."""
        titles = (f"airflow worker -- LocalExecutor: {ti_id}", f"airflow worker -- {ti_id}")
        mine = set(self._part("scheduler").pids())
        return sorted(
            stat.pid for stat in all_stats() if stat.pid in mine and command_line(stat.pid) in titles
        )

    def env(self) -> dict[str, str]:
        """The environment of every part; the same one serves for Airflow's command line."""
        return environment(
            home=self.home,
            dags_folder=self.dags_folder,
            port=self.port,
            database_url=self._database_url(),
            users=self.users,
            stock_settings=self._stock_settings,
            **self._given,
        )

    def _database_url(self) -> str:
        if self._database == "sqlite":
            return f"sqlite:///{self.home}/airflow.db"
        assert self.postgres is not None
        return self.postgres.database(f"airflow_{self.port}")

    def _prepare(self) -> None:
        if self.parts:
            return
        env = self.env()
        for name, arguments in PARTS.items():
            self.parts[name] = SessionProcess(
                name=name,
                folder=self.home / "parts",
                argv=[self.python, "-m", "airflow", *arguments],
                env=env,
                cwd=self.home,
            )

    def _passwords(self) -> dict[str, str]:
        return remembered(
            self.home / "passwords.json", {user: secrets.token_urlsafe(12) for user in self.users}
        )


def compile_bytecode(python: str, progress: Callable[[str], None]) -> None:
    """Compile the interpreter's packages once if they are not: `import airflow` takes 2 s then, not 6."""
    asked = "import importlib.util as u; s = u.find_spec('airflow'); print(s.origin, s.cached)"
    done = subprocess.run([python, "-c", asked], check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise StackError(f"{python} has no Airflow: {done.stderr[-500:]}")
    source, cached = done.stdout.split()
    if Path(cached).exists():
        return
    progress("Python's packages are compiled, once (a minute)")
    packages = Path(source).parents[1]
    subprocess.run([python, "-m", "compileall", "-q", "-j", "2", str(packages)], check=False, timeout=900)


def _parse(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
