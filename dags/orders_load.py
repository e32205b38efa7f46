"""
An ordinary data airflow Dag: it loads the orders of the hour, then looks at what the loader counted meanwhile.

The loader counts `rows_read_total` and `rows_rejected_total` under its own `job`, in a Prometheus. The watch fails for
good when more than one row in a hundred was rejected, or clearly more than three times as many as in the day before;
too few rows to tell are no success either, and are tried again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, task

from cd_provider.pipelines import before_after, promql
from cd_provider.sensors.health_gate import HealthGateSensor

ROWS = 'increase(rows_{what}_total{{job="$candidate"}}[$window])'

with DAG(
    "orders_load",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["reuse", "health"],
    doc_md=__doc__,
):

    @task
    def load() -> str:
        """Stand for the work itself; give the moment before which all that was counted is "before"."""
        return datetime.now().astimezone().isoformat()

    loaded = load()
    healthy = HealthGateSensor(
        task_id="are_the_rows_sound",
        candidate="orders_load",
        gates=[
            promql(
                "rejected",
                query=f"sum({ROWS.format(what='rejected')}) / sum({ROWS.format(what='read')})",
                max=0.01,
                min_requests=1000,
                window_s="15m",
            ),
            before_after(
                "rejected, as before",
                total="rows_read_total",
                bad="rows_rejected_total",
                moment="{{ ti.xcom_pull(task_ids='load') }}",
                before_s="1d",
            ),
        ],
        max_s="10m",
        retries=2,
        retry_delay=timedelta(minutes=5),
    )

    @task
    def publish() -> str:
        """Let others see the rows."""
        return "the rows of the hour are out"

    loaded >> healthy >> publish()
