"""
The routes: a verdict's page, and its record for download.

Airflow guards nothing of a plugin: each route asks for a user who may read the Dag's XComs, which is what it shows.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.xcom import XComModel
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse, PlainTextResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from cd_provider.core.judge.record import Record
from cd_provider.core.names import RECORD_KEY
from cd_provider.exceptions import ArgumentError
from cd_provider.plugins.page import Where, page

READER = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MapIndex = Annotated[int, Query(ge=-1)]
TASK = "/verdict/{dag_id}/{run_id}/{task_id}"


def make_app() -> FastAPI:
    """Give the application; it is mounted below ``/cd-provider``."""
    app = FastAPI(title="Continuous delivery", docs_url=None, redoc_url=None, openapi_url=None)
    app.get(TASK, response_class=HTMLResponse, dependencies=[READER])(verdict)
    app.get(TASK + "/record", response_class=PlainTextResponse, dependencies=[READER])(record)
    return app


def verdict(
    dag_id: str, run_id: str, task_id: str, session: SessionDep, map_index: MapIndex = -1, pods: bool = False
) -> HTMLResponse:
    """Show what the judges of a canary's task said, and why. ``pods``: each candidate pod by itself, too."""
    records = stored(session, dag_id, run_id, task_id, map_index)
    shown = page(records, Where(dag_id, run_id, task_id, map_index), pods=pods)
    return HTMLResponse(shown, status_code=200 if records else 404, headers=HEADERS)


def record(
    dag_id: str,
    run_id: str,
    task_id: str,
    session: SessionDep,
    map_index: MapIndex = -1,
    key: str = RECORD_KEY,
) -> PlainTextResponse:
    """Give one judge's record as JSON, one tick a line."""
    found = stored(session, dag_id, run_id, task_id, map_index).get(key)
    if found is None:
        raise HTTPException(404, f"no record {key!r}: the canary has not judged, or its XComs were cleared")
    try:
        whole = Record.read(found)
    except ArgumentError as err:
        raise HTTPException(422, str(err)) from err
    name = re.sub(
        r"[^A-Za-z0-9._-]+", "-", f"{key}-{whole.about.get('app', '')}-{whole.about.get('release', '')}"
    )
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name.strip("-")}.json"'}
    return PlainTextResponse(whole.as_text(), media_type="application/json", headers=headers)


def stored(session: Session, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str]:
    """Read the packed records of one task instance: key → text, the first judge's first."""
    query = select(XComModel.key, XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.task_id == task_id,
        XComModel.map_index == map_index, XComModel.key.startswith(RECORD_KEY, autoescape=True),
    )  # fmt: skip
    found = {key: plain(value) for key, value in session.execute(query)}
    return dict(sorted(found.items(), key=lambda one: (len(one[0]), one[0])))


def plain(value: Any) -> str:
    """Take off the JSON that Airflow puts around an XCom's text."""
    if isinstance(value, str) and value.startswith('"'):
        value = json.loads(value)
    return value if isinstance(value, str) else json.dumps(value)
