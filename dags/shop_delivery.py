"""
Take an image of the shop from the registry to all of its users, or back.

An airflow Dag of one task group. Press *Trigger*, name an image by tag or digest, and watch `shop`: `canary` gives it
to 10, 25 and 50 % of the users, and takes it off them within seconds when more than one answer in ten is an error.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cd_provider.pipelines import canary_delivery, gateway_api, promql, slack

ANSWERS = 'shop_requests_total{namespace="$namespace",pod=~"$pods"'

with DAG(
    "shop_delivery",
    schedule=None,
    params={
        "image": Param(
            "127.0.0.1:5000/shop:v2", type="string", title="Image", description="By tag or digest."
        ),
        "step_s": Param(60, type="number", minimum=1, title="Seconds of each step"),
    },
    tags=["delivery"],
    doc_md=__doc__,
):
    canary_delivery(
        app="shop",
        image="{{ params.image }}",
        workload="deployment/shop",
        namespace="shop",
        router=gateway_api(route="shop"),
        steps=[10, 25, 50],
        step_s="{{ params.step_s }}",
        gates=[
            promql(
                "errors",
                query=f'sum({ANSWERS},code=~"5.."}}) / sum({ANSWERS}}})',
                max=0.1,
                min_requests=10,
            )
        ],
        notify=slack(channel="#releases"),
    )
