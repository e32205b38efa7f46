"""Buttons on a task's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook, BaseOperatorLink, conf

from cd_provider.core.gate import Gate, parse_gates
from cd_provider.core.names import PAGES, candidate_name
from cd_provider.core.query import QueryNames, fill
from cd_provider.core.workload import WorkloadRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk.types import TaskInstanceKey


class VerdictLink(BaseOperatorLink):
    """The page with the judge's verdict and the picture that explains it, in this Airflow."""

    name = "Verdict"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Give the address; Airflow asks in the worker."""
        return str(operator.verdict_url(ti_key))


class GatesLink(BaseOperatorLink):
    """The canary's gates as graphs in Prometheus: what its judge sees, over the last quarter of an hour."""

    name = "Gates in Prometheus"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Give the address; Airflow asks in the worker, with every field of the task rendered."""
        return str(operator.gates_url())


def verdict_url(ti: Any) -> str:
    """Give the address of the page about one task instance; ``ti`` has dag_id, run_id, task_id and map_index."""
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    parts = "/".join(quote(part, safe="") for part in (ti.dag_id, ti.run_id, ti.task_id))
    index = f"?map_index={ti.map_index}" if ti.map_index >= 0 else ""
    return f"{base}{PAGES}/verdict/{parts}{index}"


def gates_url(
    gates: Sequence[Mapping[str, Any]], *, workload: str, namespace: str, service: str | None, conn_id: str
) -> str:
    """
    Give the address of a Prometheus page that draws every gate's query.

    :param service: stable's Service; where it is not named it is taken to be called as the workload is.
    :param conn_id: a connection of type ``prometheus``; its host must be one that people reach too.
    """
    ref = WorkloadRef.parse(workload, namespace=namespace)
    stable = service or ref.name
    names = QueryNames(candidate_name(stable), stable, namespace, (f"{candidate_name(ref.name)}-.*",))
    shown: dict[str, str] = {}
    for index, gate in enumerate(gate for gate in parse_gates(gates) if isinstance(gate, Gate)):
        expression = fill(gate.query, names, window_s=gate.window_s)
        shown |= {f"g{index}.expr": expression, f"g{index}.tab": "0", f"g{index}.range_input": "15m"}
    conn = BaseHook.get_connection(conn_id)
    prefix = str(conn.extra_dejson.get("path_prefix") or "").strip("/")
    base = f"{conn.schema or 'http'}://{conn.host}:{conn.port or 9090}" + (f"/{prefix}" if prefix else "")
    return f"{base}/graph?{urlencode(shown)}" if shown else base
