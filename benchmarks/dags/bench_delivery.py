"""What the benchmark of whole deliveries runs: an airflow dag like the demo's, with steps of five seconds."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cd_provider.pipelines import canary_delivery, gateway_api, promql, slack

ANSWERS = 'shop_requests_total{namespace="$namespace",pod=~"$pods"'

with DAG(
    "bench_delivery",
    schedule=None,
    params={"image": Param("", type="string"), "namespace": Param("", type="string")},
    is_paused_upon_creation=False,
):
    canary_delivery(
        app="shop",
        image="{{ params.image }}",
        workload="deployment/shop",
        namespace="{{ params.namespace }}",
        router=gateway_api(route="shop"),
        steps=[10, 25, 50],
        step_s=5,
        gates=[
            promql(
                "errors",
                query=f'(sum({ANSWERS},code=~"5.."}}) or vector(0)) / sum({ANSWERS}}})',
                max=0.1,
                min_requests=10,
            )
        ],
        notify=slack(channel="#releases"),
    )
