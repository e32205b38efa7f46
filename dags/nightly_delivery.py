"""An airflow Dag on an ordinary cron schedule: the image is looked for each night, and goes out in its window."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG

from cd_provider.pipelines import approval, canary_delivery, gateway_api, promql, smoke, weekly, window

ANSWERS = 'shop_requests_total{namespace="$namespace",pod=~"$pods"'

with DAG(
    "nightly_delivery",
    schedule="30 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["delivery", "window"],
    doc_md=__doc__,
):
    canary_delivery(
        app="shop",
        image="127.0.0.1:5000/shop:stable",
        workload="deployment/shop",
        namespace="shop",
        router=gateway_api(route="shop"),
        steps=[5, 25, {"weight": 50, "for_s": "10m"}],
        step_s="5m",
        gates=[
            promql(
                "errors",
                query=f'(sum(increase({ANSWERS},code=~"5.."}}[$window])) or vector(0))'
                f" / sum(increase({ANSWERS}}}[$window]))",
                max=0.01,
                min_requests=100,
            )
        ],
        smoke=smoke(health={"port": 8080, "path": "/healthz", "within_s": 20}),
        approval=approval(timeout_s="12h"),
        window=window(weekly(days="mon-thu", start="09:00", end="16:00", zone="Europe/Berlin")),
    )
