"""
The baseline: pods of stable's own image, as young as the candidate's, for judges that ask for ``baseline: fresh``.

How it is kept, in one place:

- The candidate's annotations stay the one truth of how far a canary got. The baseline is a Deployment and a Service
  ``<name>-baseline``, made from stable's template by the same attempt; it bears the delivery's annotations, and the
  digests that stable's pods ran when it was made (:data:`~cd_provider.core.names.RUNS`). It has no owner reference, for
  the candidate's reason: deleting one object must not delete what users may be on.
- Candidate, baseline and stable get ``w``, ``w`` and ``100 - 2w`` per cent; so no step is beyond 50, where stable's own
  pods have no users left. The same number of pods on both sides, made and grown by the same action.
- A baseline that is not ready holds the canary, and at last ends it as INCONCLUSIVE. So does one that runs what no pod
  of stable ran (a tag that moved), and one that is deleted, or of which no pod is ready while users are sent there:
  a new one would be younger than the candidate. Nothing is ever compared with stable in its place.
- It keeps its pods for the whole attempt, whatever becomes of stable's template. Another attempt makes both anew: what
  is adopted would be warm on one side alone.
- Off traffic is off for both: a trip, a verdict, a deadline or an abort gives all to stable first. They are removed
  together. At the start of a promotion the baseline's share goes to stable and its pods end, while the candidate keeps
  its own; the judge then goes on beside stable's old pods, by the rules for those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cd_provider.core.names import BASELINE, RUNS
from cd_provider.core.pod import PodState
from cd_provider.core.workload import WorkloadState


@dataclass(frozen=True)
class Baseline:
    """
    One reading of it.

    :param state: None while there is none.
    :param pods: its own. :param allowed: the digests that they may run; before it is made, what stable's pods run.
    """

    state: WorkloadState | None
    pods: Sequence[PodState]
    allowed: Collection[str]

    @classmethod
    def read(cls, state: WorkloadState | None, pods: Sequence[PodState]) -> Baseline:
        """
        Put a reading together.

        :param pods: of every side.
        """
        allowed = read_runs(state.annotations) if state else runs(pods)
        return cls(state, [pod for pod in pods if pod.side == BASELINE], allowed)

    @property
    def wanted(self) -> int:
        """How many pods it is to have; 0 while there is none."""
        return self.state.wanted if self.state else 0

    @property
    def serving(self) -> int:
        """How many of its pods are ready and will stay so as far as anybody knows."""
        return sum(pod.serves for pod in self.pods)

    @property
    def alive(self) -> bool:
        """Whether anybody answers at all."""
        return any(pod.ready and not pod.deleting for pod in self.pods)

    def stranger(self) -> PodState | None:
        """Give a ready pod that runs what no pod of stable ran; None: there is none."""
        ready = (pod for pod in self.pods if pod.ready and not pod.deleting)
        return next((pod for pod in ready if not pod.digests & set(self.allowed)), None)

    def short_of(self, wanted: int) -> str:
        """Say what is missing for this many pods to serve; empty: nothing."""
        if self.serving >= wanted:
            return ""
        faults = [str(pod.fault) for pod in self.pods if pod.fault and not pod.serves and not pod.deleting]
        why = f" ({faults[0]})" if faults else ""
        return f"{self.serving} of {wanted} pods of the baseline are ready{why}"


def runs(pods: Sequence[PodState]) -> frozenset[str]:
    """Give the digests that stable's ready pods run."""
    return frozenset(
        digest for pod in pods if pod.side is None and pod.serves for digest in sorted(pod.digests)
    )


def write_runs(digests: Collection[str]) -> dict[str, str]:
    """Give the annotation that keeps them."""
    return {RUNS: ",".join(sorted(digests))}


def read_runs(notes: Mapping[str, str]) -> frozenset[str]:
    """Read what :func:`write_runs` gave; nothing where it is missing, so that nothing is proved."""
    return frozenset(filter(None, notes.get(RUNS, "").split(",")))
