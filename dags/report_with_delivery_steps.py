"""An ordinary data airflow Dag that reuses single building blocks: it tries an image out before it works with it."""

from __future__ import annotations

from airflow.sdk import DAG, Param, task

from cd_provider.operators.image import ImageVerifyOperator
from cd_provider.sensors.workload import WorkloadReadySensor

with DAG(
    "report_with_delivery_steps",
    schedule=None,
    params={"image": Param("127.0.0.1:5000/shop:v1", type="string")},
    tags=["delivery", "reuse"],
    doc_md=__doc__,
):
    verified = ImageVerifyOperator(task_id="is_the_image_there", image="{{ params.image }}", max_size="500M")
    ready = WorkloadReadySensor(
        task_id="is_the_shop_up", workload="deployment/shop", namespace="shop", timeout=600
    )

    @task
    def report(image: dict[str, object]) -> str:
        """Work with exactly the image that was looked at."""
        return f"orders of the day, counted with {image['image']}"

    ready >> report(verified.output)  # type: ignore[arg-type]
