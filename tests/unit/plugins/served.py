"""
Airflow's own API application with the plugin in it, asked without a server.

``python -m tests.unit.plugins.served HOME`` reads from standard input which XComs there are and what is asked, as JSON,
and prints the answers. A process of its own, since Airflow reads its settings once; HOME is a folder that it may fill.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RUN_ID = "manual__1+00:00"
PLUGIN = "from cd_provider.plugins import CdProviderPlugin\n"


def prepare(home: Path) -> None:
    """Say where Airflow lives, before it is imported."""
    (home / "plugins").mkdir(parents=True, exist_ok=True)
    (home / "plugins" / "cd.py").write_text(PLUGIN)
    os.environ.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__API_AUTH__JWT_SECRET="0123456789abcdef" * 4,
        AIRFLOW__CORE__AUTH_MANAGER="tests.unit.plugins.one_dag.OneDag",
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__PLUGINS_FOLDER=str(home / "plugins"),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="vic:viewer",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
    )


def fill(xcoms: list[dict[str, Any]]) -> None:
    """Make Airflow's tables, and the XComs of a run that needs not be there itself."""
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from airflow.models.xcom import XComModel

    assert settings.engine is not None
    import_all_models()
    Base.metadata.create_all(settings.engine)
    assert settings.engine is not None
    with settings.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        for xcom in xcoms:
            value = XComModel.serialize_value(xcom["value"])
            run = {"dag_run_id": 1, "dag_id": "shop", "run_id": RUN_ID, "map_index": -1}
            row = {**run, **xcom, "value": value, "timestamp": datetime.now(UTC)}
            connection.execute(XComModel.__table__.insert(), row)


def answers(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask; ``by`` is a cookie's user, a token's, or nobody."""
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from fastapi.testclient import TestClient

    app, found = create_app(), []
    for one in asked:
        client = TestClient(app, base_url="http://airflow.local")
        token = get_auth_manager().generate_jwt(user_named(one["user"])) if one.get("user") else None
        if token and one.get("by") == "cookie":
            client.cookies.set("_token", token)
        headers = {"Authorization": f"Bearer {token}"} if token and one.get("by") != "cookie" else {}
        answer = client.get(one["path"], headers=headers)
        found.append({"status": answer.status_code, "text": answer.text, "headers": dict(answer.headers)})
    return found


def user_named(name: str) -> Any:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return SimpleAuthManagerUser(username=name, role="viewer")


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
    given = json.load(sys.stdin)
    fill(given["xcoms"])
    print(json.dumps(answers(given["asked"])))
