"""Airflow's public REST API (v2), as a person at the UI uses it: press, look, answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

import httpx

Json = dict[str, Any]
DONE = frozenset({"success", "failed"})
LOG_NOISE = frozenset(  # said in every line, or said first
    {
        "event",
        "timestamp",
        "level",
        "logger",
        "filename",
        "lineno",
        "ti",
        "ti_id",
        "dag_id",
        "run_id",
        "task_id",
    }
    | {"map_index", "try_number"}
)
TASK_DONE = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class AirflowApiError(AssertionError):
    """Airflow refused, or did not get where it was waited for; the message holds what it said."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AirflowApi:
    """
    One user's session with one Airflow.

    :param url: the address of the api-server, ``http://127.0.0.1:8080``.
    :param user: a user of SimpleAuthManager, with ``password``.
    :param timeout_s: for one request. :param transport: instead of the network.
    """

    def __init__(
        self,
        *,
        url: str,
        user: str,
        password: str,
        timeout_s: float = 90.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, self.user, self._password = url.rstrip("/"), user, password
        self._http = httpx.Client(
            base_url=self.url, timeout=timeout_s, trust_env=False, verify=False, transport=transport
        )
        self._token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connections; the token simply runs out."""
        self._http.close()

    def token(self) -> str:
        """Log in once and give the bearer token."""
        if self._token is None:
            body = {"username": self.user, "password": self._password}
            answer = self._http.post("/auth/token", json=body)
            if answer.status_code != 201:
                raise _refusal("POST", "/auth/token", answer)
            self._token = answer.json()["access_token"]
        return self._token

    def call(self, method: str, path: str, *, json: object = None, params: object = None) -> Any:
        """
        Make one request below ``/api/v2`` (a path that starts with ``/ui`` stays as it is) and give its JSON.

        :raises AirflowApiError: any status of 400 or more, with the body that Airflow sent.
        """
        answer = self._send(method, path, json=json, params=params)
        if answer.status_code == 401:  # the keys or the token's time changed under us
            self._token = None
            answer = self._send(method, path, json=json, params=params)
        if answer.status_code >= 400:
            raise _refusal(method, path, answer)
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, *, json: object, params: object) -> httpx.Response:
        where = path if path.startswith("/ui/") else f"/api/v2{path}"
        headers = {"Authorization": f"Bearer {self.token()}", "Accept": "application/json"}
        return self._http.request(method, where, json=json, params=params, headers=headers)  # type: ignore[arg-type]

    # Dags

    def dag(self, dag_id: str) -> Json:
        """A Dag with its params, tags and doc, as its page shows them."""
        return self._json("GET", f"/dags/{dag_id}/details")

    def tasks(self, dag_id: str) -> list[Json]:
        """The tasks of a Dag with what they wait for (``downstream_task_ids``)."""
        found: list[Json] = self._json("GET", f"/dags/{dag_id}/tasks")["tasks"]
        return found

    def graph(self, dag_id: str) -> Json:
        """Nodes (groups with ``children``) and edges, as the graph view draws them."""
        return self._json("GET", "/ui/structure/structure_data", params={"dag_id": dag_id})

    def wait_for_dag(self, dag_id: str, *, timeout_s: float = 60.0) -> Json:
        """Wait until the dag-processor has read a Dag; a file that does not import is an error at once."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.dag(dag_id)
            except AirflowApiError as err:
                if err.status != 404:
                    raise
            if errors := self.import_errors():
                shown = "\n".join(f"{e['filename']}:\n{e['stack_trace']}" for e in errors)
                raise AirflowApiError(f"no Dag {dag_id!r}, but files that do not import:\n{shown}")
            if time.monotonic() > deadline:
                raise AirflowApiError(
                    f"no Dag {dag_id!r} after {timeout_s:g} s; Airflow knows {self.dag_ids()}"
                )
            time.sleep(0.3)

    def dag_ids(self) -> list[str]:
        """The names of all Dags that Airflow knows."""
        return [dag["dag_id"] for dag in self._json("GET", "/dags", params={"limit": 100})["dags"]]

    def import_errors(self) -> list[Json]:
        """Dag files that do not import: ``filename`` and ``stack_trace``."""
        found: list[Json] = self._json("GET", "/importErrors")["import_errors"]
        return found

    def pause(self, dag_id: str) -> None:
        """Start no task of this Dag any more."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": True})

    def unpause(self, dag_id: str) -> None:
        """Let its runs go on."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    # Runs

    def trigger(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, *, run_id: str | None = None
    ) -> str:
        """Press *Trigger*; give the run's id. ``conf`` overrides the Dag's params."""
        body: Json = {"logical_date": None, "conf": dict(conf or {})}
        if run_id is not None:
            body["dag_run_id"] = run_id
        return str(self._json("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        timeout_s: float = 300.0,
        on_change: Callable[[Json], None] | None = None,
    ) -> Json:
        """Unpause, trigger, wait; give the finished run. See ``wait``."""
        self.wait_for_dag(dag_id)
        self.unpause(dag_id)
        return self.wait(
            dag_id, self.trigger(dag_id, conf, run_id=run_id), timeout_s=timeout_s, on_change=on_change
        )

    def wait(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout_s: float = 300.0,
        on_change: Callable[[Json], None] | None = None,
        every_s: float = 0.5,
    ) -> Json:
        """
        Wait until a run has succeeded or failed, and give it.

        :param on_change: told each task instance whose state or try number changed, once per change.
        :raises AirflowApiError: it still runs after ``timeout_s``; the message holds all task states.
        """
        seen: dict[tuple[str, int], tuple[str | None, int]] = {}
        deadline = time.monotonic() + timeout_s
        while True:
            run = self.dag_run(dag_id, run_id)
            if on_change:
                self._tell(self.task_instances(dag_id, run_id), seen, on_change)
            if run["state"] in DONE:
                return run
            if time.monotonic() > deadline:
                states = self.states(dag_id, run_id)
                raise AirflowApiError(f"{dag_id} {run_id} is {run['state']} after {timeout_s:g} s: {states}")
            time.sleep(every_s)

    @staticmethod
    def _tell(
        now: list[Json],
        seen: dict[tuple[str, int], tuple[str | None, int]],
        on_change: Callable[[Json], None],
    ) -> None:
        for ti in now:
            key, value = (ti["task_id"], ti["map_index"]), (ti["state"], ti["try_number"])
            if seen.get(key) != value and value[0] is not None:
                seen[key] = value
                on_change(ti)

    def dag_run(self, dag_id: str, run_id: str) -> Json:
        """One run: ``state``, ``conf``, ``note``, ``start_date``, ``end_date``, and more."""
        return self._json("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}")

    def dag_runs(self, dag_id: str, *, limit: int = 50) -> list[Json]:
        """The newest runs first."""
        params = {"limit": limit, "order_by": "-run_after"}
        found: list[Json] = self._json("GET", f"/dags/{dag_id}/dagRuns", params=params)["dag_runs"]
        return found

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a run ``success``, ``failed`` or ``queued``, as its page offers it."""
        self.call("PATCH", f"/dags/{dag_id}/dagRuns/{quote(run_id)}", json={"state": state})

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a run with all that Airflow knows of it."""
        self.call("DELETE", f"/dags/{dag_id}/dagRuns/{quote(run_id)}")

    # Task instances

    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        """Every task instance of a run, in order of start."""
        found = self._json("GET", f"{_run(dag_id, run_id)}/taskInstances", params={"limit": 200})
        return sorted(found["task_instances"], key=lambda ti: ti["start_date"] or "~")

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Task id → state, None for one that has none yet."""
        return {ti["task_id"]: ti["state"] for ti in self.task_instances(dag_id, run_id)}

    def task_instance(self, dag_id: str, run_id: str, task_id: str) -> Json:
        """One task instance: ``state``, ``try_number``, ``pid``, ``rendered_fields``, and more."""
        return self._json("GET", f"{_run(dag_id, run_id)}/taskInstances/{task_id}")

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: Sequence[str] = tuple(TASK_DONE),
        *,
        timeout_s: float = 120.0,
    ) -> Json:
        """
        Wait until a task is in one of ``states``, and give it.

        :raises AirflowApiError: not so after ``timeout_s``, or the run ended without it.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            ti = self.task_instance(dag_id, run_id, task_id)
            if ti["state"] in states:
                return ti
            over = ti["state"] in TASK_DONE and self.dag_run(dag_id, run_id)["state"] in DONE
            if over or time.monotonic() > deadline:
                all_states = self.states(dag_id, run_id)
                raise AirflowApiError(
                    f"{dag_id} {run_id}: {task_id} is {ti['state']}, not {states}; {all_states}"
                )
            time.sleep(0.1)

    def mark_task(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task ``success``, ``failed`` or ``skipped``, as its page offers it."""
        self.call("PATCH", f"{_run(dag_id, run_id)}/taskInstances/{task_id}", json={"new_state": state})

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None, *, downstream: bool = True
    ) -> list[str]:
        """Clear tasks (all when None), as the button does; give the ids of those that were cleared."""
        body: Json = {"dag_run_id": run_id, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
        if task_ids is not None:
            body |= {"task_ids": list(task_ids), "include_downstream": downstream}
        found = self._json("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)
        return [ti["task_id"] for ti in found["task_instances"]]

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """What a task handed on; None when it handed on nothing under this key."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{quote(key)}"
        try:
            return self.call("GET", path)["value"]
        except AirflowApiError as err:
            if err.status == 404:
                return None
            raise

    def add_xcom(self, dag_id: str, run_id: str, task_id: str, key: str, value: Any) -> None:
        """Add one by hand, as the task's page offers it."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries"
        self.call("POST", path, json={"key": key, "value": value, "map_index": -1})

    def task_log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int | None = None) -> str:
        """The log of one try (default: the newest) as text: event, then its other fields, one line each."""
        number = try_number or self.task_instance(dag_id, run_id, task_id)["try_number"]
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{number}"
        return "\n".join(
            _line(entry) for entry in self.call("GET", path, params={"full_content": True})["content"]
        )

    def extra_links(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str | None]:
        """Name → address of the buttons on a task's page; None while there is no address."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/links"
        links: dict[str, str | None] = self._json("GET", path)["extra_links"]
        return links

    # People

    def hitl_pending(self, dag_id: str = "~", run_id: str = "~") -> list[Json]:
        """Questions that wait for a person: ``subject``, ``options``, ``task_instance``, and more."""
        params = {"response_received": False}
        found: list[Json] = self._json("GET", f"{_run(dag_id, run_id)}/hitlDetails", params=params)[
            "hitl_details"
        ]
        return found

    def hitl_answer(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        options: Sequence[str],
        params: Mapping[str, Any] | None = None,
    ) -> Json:
        """Answer as this user; see ``AirflowStack.wait_for_question`` for when that is safe."""
        body = {"chosen_options": list(options), "params_input": dict(params or {})}
        return self._json(
            "PATCH", f"{_run(dag_id, run_id)}/taskInstances/{task_id}/-1/hitlDetails", json=body
        )

    # What surrounds it

    def health(self) -> Json:
        """The health of database, scheduler, triggerer and dag-processor, with their newest heartbeats."""
        return self._json("GET", "/monitor/health")

    def providers(self) -> dict[str, str]:
        """Package name → version."""
        found = self._json("GET", "/providers", params={"limit": 200})["providers"]
        return {provider["package_name"]: provider["version"] for provider in found}

    def plugins(self) -> list[Json]:
        """The plugins that the api-server has loaded."""
        found: list[Json] = self._json("GET", "/plugins", params={"limit": 100})["plugins"]
        return found

    def connection_forms(self) -> list[Json]:
        """What the connection form knows of each connection type."""
        found: list[Json] = self.call("GET", "/ui/connections/hook_meta")
        return found

    def connections(self) -> dict[str, Json]:
        """Connection id → connection, secrets masked."""
        found = self._json("GET", "/connections", params={"limit": 100})["connections"]
        return {connection["connection_id"]: connection for connection in found}

    def put_connection(self, conn_id: str, fields: Mapping[str, Any]) -> None:
        """
        Create a connection, or replace one of this name.

        :param fields: ``conn_type``, ``host``, ``port``, ``schema``, ``login``, ``password``,
            ``description``, ``extra`` (a dict or JSON text).
        """
        body = {"connection_id": conn_id, **fields}
        if isinstance(body.get("extra"), Mapping):
            body["extra"] = json.dumps(body["extra"])
        try:
            self.call("POST", "/connections", json=body)
        except AirflowApiError as err:
            if err.status != 409:
                raise
            self.call("PATCH", f"/connections/{quote(conn_id)}", json=body)

    def delete_connection(self, conn_id: str) -> None:
        """Delete a connection."""
        self.call("DELETE", f"/connections/{quote(conn_id)}")

    def set_variable(self, key: str, value: str) -> None:
        """Create or replace an Airflow Variable."""
        body = {"key": key, "value": value}
        try:
            self.call("POST", "/variables", json=body)
        except AirflowApiError as err:
            if err.status != 409:
                raise
            self.call("PATCH", f"/variables/{quote(key)}", json=body)

    def _json(self, method: str, path: str, *, json: object = None, params: object = None) -> Json:
        answer = self.call(method, path, json=json, params=params)
        assert isinstance(answer, dict), f"{method} {path} gave {answer!r}, expected an object"
        return answer


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id)}"


def _line(entry: Json | str) -> str:
    if isinstance(entry, str):
        return entry
    rest = {k: v for k, v in entry.items() if k not in LOG_NOISE}
    head = " ".join(str(entry[k]) for k in ("timestamp", "level", "event") if entry.get(k))
    return f"{head} {json.dumps(rest, default=str)}" if rest else head


def _refusal(method: str, path: str, answer: httpx.Response) -> AirflowApiError:
    return AirflowApiError(
        f"{method} {path} gave {answer.status_code}: {answer.text[:2000]}", status=answer.status_code
    )
