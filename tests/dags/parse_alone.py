"""
Parse one Dag file as Airflow's Dag processor does, and refuse it everything that a parse has no right to.

``python -m tests.dags.parse_alone FILE`` prints ``{dag_id: [task ids]}``; it ends with an error when the file
opens a socket, asks the name server, reads a connection, warns, or loads an SDK.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# A connection that is in no environment variable is looked up in the database: SQLite, here.
FORBIDDEN = {"socket.connect", "socket.getaddrinfo", "sqlite3.connect"}
SDKS = ("docker", "kubernetes", "kubernetes_asyncio", "slack_sdk")


def refuse(event: str, args: tuple[Any, ...]) -> None:
    """Stop at what only a running task may do."""
    if event in FORBIDDEN:
        raise PermissionError(f"a Dag file did {event} while it was parsed")


def parse(path: Path) -> dict[str, list[str]]:
    """
    Read the file into a bag and serialize its Dags, as Airflow does.

    :raises AssertionError: Airflow passes over it, it has no Dag, it fails or warns, or it has loaded an SDK.
    """
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    sys.addaudithook(refuse)
    bag = DagBag(dag_folder=str(path), safe_mode=True)
    assert not bag.import_errors, "\n".join(bag.import_errors.values())
    assert not bag.captured_warnings, bag.captured_warnings
    assert bag.dags, (
        "there is no Dag in it, or Airflow passes over it: both words, airflow and dag, have to be there"
    )
    for dag in bag.dags.values():
        json.dumps(DagSerialization.to_dict(dag))
    loaded = [name for name in SDKS if name in sys.modules]
    assert not loaded, f"parsing loads {', '.join(loaded)}"
    return {dag.dag_id: list(dag.task_ids) for dag in bag.dags.values()}


if __name__ == "__main__":
    print(json.dumps(parse(Path(sys.argv[1]))))
