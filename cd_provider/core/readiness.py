"""Whether the pods of a canary are as many and as ready as its weight needs, and those of the baseline beside it."""

from __future__ import annotations

from cd_provider.core.situation import Action, CanaryPlan, Hold, Resize, Situation, Stop
from cd_provider.core.traffic import Step
from cd_provider.core.workload import candidate_replicas

SETTLE_S = 1.0  # a gateway learns of a ready pod a little later than we do; until then it would answer 503


def bad_baseline(seen: Situation) -> Stop | None:
    """End it where what the candidate is compared with cannot be trusted, or is gone: that convicts nobody."""
    baseline = seen.baseline
    if baseline is None or seen.blind_since is not None:
        return None
    if baseline.state is None and not baseline.allowed:
        return Stop(
            "INCONCLUSIVE", "stable has no ready pod that tells what it runs: no baseline can be made of it"
        )
    if baseline.state is None and seen.step >= 0:
        return Stop(
            "INCONCLUSIVE",
            "the baseline was deleted in mid-canary, and a new one would be younger than the candidate",
        )
    if pod := baseline.stranger():
        runs = ", ".join(sorted(pod.digests)) or "an image without a digest"
        return Stop(
            "INCONCLUSIVE",
            f"pod {pod.name} of the baseline runs {runs}, which no pod of stable ran when it was made",
        )
    if seen.weights.baseline > 0 and not baseline.alive:
        return Stop(
            "INCONCLUSIVE",
            f"no pod of the baseline is ready while it has {seen.weights.baseline} % of the traffic: nothing as young "
            "is left to compare with",
        )
    return None


def not_ready(plan: CanaryPlan, seen: Situation) -> Action | None:
    wanted = _replicas(plan, seen)
    state = seen.candidate
    if state is None or state.wanted < wanted:
        return Resize(wanted)
    if seen.baseline and seen.baseline.wanted < state.wanted:
        return Resize(state.wanted)
    if state.stalled:
        return Stop("FAIL", f"the candidate's pods do not become ready: {state.stalled}")
    ready = sum(pod.serves for pod in seen.pods)
    if seen.weights.candidate == 0 or seen.step_started is None:
        if ready < wanted or state.observed < state.generation:
            if seen.now - seen.created_at > state.progress_deadline_s:
                return Stop(
                    "FAIL", f"{ready} of {wanted} pods are ready after {state.progress_deadline_s:.0f} s"
                )
            return Hold(f"{ready} of {wanted} pods are ready")
        if seen.baseline and (missing := seen.baseline.short_of(wanted)):
            if seen.now - seen.created_at > state.progress_deadline_s:
                return Stop("INCONCLUSIVE", f"{missing} after {state.progress_deadline_s:.0f} s")
            return Hold(missing)
        return _settling(seen) if seen.weights.candidate == 0 else None
    if ready < wanted:
        return Hold(f"{ready} of {wanted} pods are ready")
    missing = seen.baseline.short_of(wanted) if seen.baseline else ""
    return Hold(missing) if missing else None


def _settling(seen: Situation) -> Hold | None:
    """Wait before the first user is sent to new pods."""
    left = SETTLE_S if seen.ready_since is None else seen.ready_since + SETTLE_S - seen.now
    return Hold("the gateway gets to know the pods", left_s=left) if left > 0 else None


def _replicas(plan: CanaryPlan, seen: Situation) -> int:
    """Size the candidate for the weight it has or is about to get."""
    return replicas_for(plan, seen, plan.steps[max(seen.step, 0)])


def replicas_for(plan: CanaryPlan, seen: Situation, step: Step) -> int:
    return candidate_replicas(seen.stable_replicas, weight=step.weight, least=plan.candidate_min)


def grow(plan: CanaryPlan, seen: Situation) -> Resize | None:
    """Start the pods that the next step needs."""
    if seen.step + 1 == len(plan.steps) or seen.candidate is None:
        return None
    wanted = replicas_for(plan, seen, plan.steps[seen.step + 1])
    return Resize(wanted) if seen.candidate.wanted < wanted else None
