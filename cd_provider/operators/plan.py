"""The plan: everything that could go wrong is looked at before anything is touched, and told together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from cd_provider.core.gate import parse_gate, parse_gates, sharing
from cd_provider.core.image import ImageFacts, ImageRef
from cd_provider.core.message import Outcome
from cd_provider.core.override import Override
from cd_provider.core.refuse import blind_gates, crowded_steps, late_judges
from cd_provider.core.release import Release, check_app
from cd_provider.core.story import planned, tell
from cd_provider.core.traffic import Step, parse_steps
from cd_provider.core.units import seconds
from cd_provider.operators.canary import MARGIN_S, canary_s, check_run_timeout
from cd_provider.operators.common import ReleaseOperator, check_router, run_url, send
from cd_provider.operators.plan_checks import (
    Asked,
    Surroundings,
    check_cluster,
    check_image,
    check_prometheus,
    check_window,
)
from cd_provider.operators.plan_faults import Faults
from cd_provider.operators.plan_hints import experimental

if TYPE_CHECKING:
    from airflow.sdk import Context

    from cd_provider.core.gate import AnyGate


class ReleasePlanOperator(ReleaseOperator):
    """
    Check a delivery without touching anything, and show all faults together.

    Looked at: the image, the workload, its container and Service, the route, the names that the candidate needs, each
    gate's query once, the window, permissions, GitOps owners, time-outs, connections. Then the release's one message is
    posted.

    A fault that stays fails the task for good; when there are outages alone (a registry, Prometheus or API server that
    gives no usable answer now), the task's ``retries`` apply.

    :param image: (templated) the image as asked for, tag or digest.
    :param steps: and the others: as :class:`~cd_provider.operators.canary.CanaryOperator` takes them.
    :param registry_conn_id: (templated) the image's registry.

    Returns ``{"thread", "app", "image", "hints"}``; ``thread`` is where the message is, ``hints`` are what is no
    fault and yet worth knowing.
    """

    template_fields: Sequence[str] = (
        *ReleaseOperator.template_fields,
        "steps", "step_s", "gates", "no_data_s", "max_s", "window", "prometheus_conn_id", "registry_conn_id",
        "override",
    )  # fmt: skip
    ui_color = "#e2e3e5"

    def __init__(
        self,
        *,
        steps: Sequence[Any],
        gates: Sequence[Mapping[str, Any]],
        step_s: Any = 60,
        no_data_s: Any = 120,
        max_s: Any = None,
        window: Mapping[str, Any] | str | None = None,
        prometheus_conn_id: str = "prometheus_default",
        registry_conn_id: str = "registry_default",
        allow_downgrade: bool = False,
        stable_may_be_broken: bool = False,
        gitops_ignores_us: bool = False,
        override: Mapping[str, str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.steps = steps
        self.gates = gates
        self.step_s = step_s
        self.no_data_s = no_data_s
        self.max_s = max_s
        self.window = window
        self.prometheus_conn_id = prometheus_conn_id
        self.registry_conn_id = registry_conn_id
        self.allow_downgrade = allow_downgrade
        self.stable_may_be_broken = stable_may_be_broken
        self.gitops_ignores_us = gitops_ignores_us
        self.override = override

    def execute(self, context: Context) -> dict[str, Any]:
        """Check everything; then say hello."""
        hints: list[str] = super().execute(context)
        for hint in hints:
            self.log.info("worth knowing: %s", hint)
        return {"thread": self._post(context), "app": self.app, "image": str(self.image), "hints": hints}

    async def aexecute(self, context: Context) -> list[str]:
        """Check everything, and give the hints."""
        from cd_provider.operators import plan_judges

        faults = Faults()
        asked = self._asked(context, faults)
        window = faults.catch(check_window, self.window)
        facts = await faults.wait_for(check_image(asked))
        surroundings = await faults.wait_for(check_cluster(asked, faults))
        await faults.wait_for(check_prometheus(asked, surroundings, faults))
        of_judges = await plan_judges.check_judges(asked, surroundings, faults)
        faults.raise_if_any(str(self.app))
        if facts is None or surroundings is None:
            raise AssertionError("what was not found is a fault")
        self.log.info("planned: %s", self._planned(asked, facts, surroundings, window))
        return [*surroundings.hints, *experimental(asked.judges), *of_judges]

    def _planned(self, asked: Asked, facts: ImageFacts, found: Surroundings, window: str | None) -> str:
        return planned(
            replace(asked.release, image=str(facts.pinned)),
            self.target(),
            container=str(found.container),
            service=str(found.service),
            steps=parse_steps(self.steps, step_s=self.step_s),
            gates=len(asked.gates),
            window=window,
        )

    def _asked(self, context: Context, faults: Faults) -> Asked:
        """Read every value alone, so that each gives its own fault; what cannot be read is None or missing."""
        faults.catch(check_app, self.app)
        image = faults.catch(ImageRef.parse, self.image)
        faults.catch(check_router, self.router)
        target = faults.catch(self.target)
        gates = self._gates(faults)
        steps, max_s = faults.catch(self._timing, context, gates, faults) or ((), None)
        return Asked(
            release=self._release(context, image),
            image=image,
            target=target,
            gates=gates,
            steps=steps,
            max_s=max_s,
            override=faults.catch(Override.parse, self.override) is not None,
            registry_conn_id=self.registry_conn_id,
            prometheus_conn_id=self.prometheus_conn_id,
            allow_downgrade=self.allow_downgrade,
            stable_may_be_broken=self.stable_may_be_broken,
            gitops_ignores_us=self.gitops_ignores_us,
        )

    def _gates(self, faults: Faults) -> tuple[AnyGate, ...]:
        faults.catch(parse_gates, self.gates)
        if not isinstance(self.gates, Sequence) or isinstance(self.gates, str):
            return ()
        return sharing([gate for one in self.gates if (gate := faults.catch(parse_gate, one))])

    def _timing(
        self, context: Context, gates: Sequence[AnyGate], faults: Faults
    ) -> tuple[tuple[Step, ...], float | None]:
        """Check all that is about time; give the steps, and how long the canary may take."""
        no_data_s = faults.catch(lambda: seconds(self.no_data_s, name="no_data_s", least=5))
        steps = parse_steps(self.steps, step_s=self.step_s)
        faults.name(blind_gates(gates, steps))
        faults.name(crowded_steps(gates, steps))
        if no_data_s is None:
            return steps, None
        needed = canary_s(steps, gates, no_data_s=no_data_s, max_s=self.max_s)
        faults.name(late_judges(gates, needed))
        check_run_timeout(context, needed + MARGIN_S)
        return steps, needed

    def _post(self, context: Context) -> dict[str, str] | None:
        """Post the release's message; an earlier attempt's message is edited instead."""
        if not self.notify:
            return None
        store = cast("Any", context["task_state_store"])
        release = self._release(context, ImageRef.parse(self.image))
        line = "planned; nothing was touched yet"
        message = tell(release, self.target(), outcome=Outcome.RUNNING, line=line)
        thread = send(self.notify, message, thread=store.get("thread"))
        if thread:
            store.set("thread", thread)
        return thread

    def _release(self, context: Context, image: ImageRef | None) -> Release:
        """Give the release as far as it is known now: not its digests, and not yet whether its names are any."""
        run = context["dag_run"]
        due = run.run_after or run.start_date
        return Release(
            app=str(self.app),
            image=str(image or self.image),
            digests=(),
            tag=image.tag if image else None,
            delivery="",  # nothing is written, so that nothing bears its name
            asked_at=due.timestamp() if due else 0.0,
            dag_id=run.dag_id,
            run_id=run.run_id,
            asked_by=getattr(run, "triggering_user_name", None),
            url=run_url(run.dag_id, run.run_id),
        )
