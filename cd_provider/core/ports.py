"""
The doors to the outside.

Each has at most three methods. Every write may be repeated: twice the same call leaves the same world.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from cd_provider.core.image import ImageFacts, ImageRef
from cd_provider.core.judge.sides import Reading, Sides
from cd_provider.core.message import ReleaseMessage
from cd_provider.core.pod import PodState
from cd_provider.core.traffic import Weights
from cd_provider.core.workload import WorkloadState


class Workload(Protocol):
    """Something in a cluster that runs an image: the stable side."""

    async def state(self) -> WorkloadState:
        """
        Read it now.

        :raises ClusterNotFoundError: there is no such workload.
        """
        ...

    async def apply(self, *, images: Mapping[str, str], annotations: Mapping[str, str | None]) -> int:
        """
        Set images of containers and annotations of the object, and nothing else.

        :param images: container → image text.
        :param annotations: None removes one.
        :returns: the generation to wait for.
        """
        ...

    async def remove(self) -> None:
        """Take away what earlier calls of ours added to the object beyond the images (annotations)."""
        ...


class Candidate(Protocol):
    """The candidate beside a stable workload: made from stable's own template, under its own name and labels."""

    async def state(self) -> WorkloadState | None:
        """Read it now; None when there is none."""
        ...

    async def apply(self, *, images: Mapping[str, str], replicas: int, annotations: Mapping[str, str]) -> int:
        """
        Make it, or move it to these images, this size and these annotations; others of ours are kept.

        :returns: the generation to wait for.
        """
        ...

    async def remove(self) -> None:
        """Delete its workload and Service, and wait until the workload is gone; nothing there is fine."""
        ...


class Pods(Protocol):
    """The pods of both sides, kept current by a watch."""

    async def states(self) -> Sequence[PodState]:
        """
        Give the pods of stable and candidate as the watch last heard.

        :raises ClusterUnavailableError: the watch has been deaf for longer than it may be.
        """
        ...

    async def wait(self, timeout_s: float) -> None:
        """Return at the next change of a pod, or after ``timeout_s`` seconds."""
        ...

    def latest(self) -> Sequence[PodState]:
        """Give the pods as they were last heard of, however long ago; never waits."""
        ...

    def disown(self, uids: Collection[str]) -> None:
        """
        Leave these pods out from now on.

        What an earlier candidate left lives on for a grace period, and its errors stand in the metrics a little longer.
        """
        ...


class PodLogs(Protocol):
    """What pods said."""

    async def last_lines(self, pod: str, *, container: str | None = None, lines: int = 5) -> str:
        """Give the last log lines of a container, of its run before when it crashed; "" when there are none."""
        ...


class TrafficRouter(Protocol):
    """Something that splits requests between the stable release and the candidate."""

    async def weights(self) -> Weights:
        """
        Read the split that is in force: accepted by the router, not only written.

        Rules that disagree give the largest share of each side: a split that nobody asked for, and that ``shift``
        mends.

        :raises RouteError: nothing of ours is there, and the route is of a form that cannot be split.
        """
        ...

    async def shift(self, weights: Weights) -> None:
        """Set the split, and return once the router has accepted it. Adds the candidate as a backend where needed."""
        ...

    async def clean(self) -> bool:
        """Say whether nothing of ours is there: the candidate is no backend, not even one without traffic."""
        ...

    async def reset(self) -> None:
        """All to stable, then the candidate's backend and every trace of ours removed. Nothing there is fine."""
        ...


class MetricSource(Protocol):
    """Where gates get their numbers."""

    async def value(self, query: str) -> float | None:
        """
        Run ``query`` now; give its one value, or None when no series matched or the value is NaN.

        :raises MetricsUnavailableError: no answer, or one that says "try later".
        :raises MetricQueryError: the query is refused, or gives more than one value.
        """
        ...


class CounterSource(Protocol):
    """Where the judge reads raw counters."""

    async def read(self, sides: Sides, *, since: float) -> Reading:
        """
        Give every counter of both sides with all its samples whose stamp is greater than ``since``.

        Answers may overlap with earlier ones: whoever follows them drops what came before. The first ``since`` lies
        before the moment from which the candidate is judged, by two intervals at least, else a counter that is old
        looks newborn. A source without a past (a pod's own page) gives what it sees now, and counting begins there.

        :param since: epoch seconds, by the clock that stamps the samples.
        :raises MetricsUnavailableError: no answer, a part of one, or one that says "try later".
        :raises MetricQueryError: reading again changes nothing: refused, too many series, two copies of one counter,
            a native histogram, a gauge.
        :raises MetricsRefusedError: credentials or rights are missing, or there is no such server.
        """
        ...

    async def probe(self, sides: Sides) -> str | None:
        """Say in one sentence what is missing for it to work; None: nothing. For plans, before anything is touched."""
        ...


class ImageSource(Protocol):
    """Where images are found."""

    async def tags(self, repository: str) -> Sequence[str]:
        """Give every tag of ``host/path``, in the registry's order."""
        ...

    async def facts(self, image: ImageRef) -> ImageFacts:
        """
        Look one reference up.

        :raises ImageNotFoundError: the registry answers, and has no such image.
        :raises RegistryRefusedError: it refuses the credentials, or the image names another host.
        :raises RegistryUnavailableError: no usable answer.
        """
        ...


class Notifier(Protocol):
    """Who is told."""

    async def send(
        self,
        message: ReleaseMessage,
        *,
        thread: Mapping[str, str] | None = None,
        under: Mapping[str, str] | None = None,
    ) -> Mapping[str, str]:
        """
        Post the message, or edit the one that ``thread`` names.

        :param thread: what an earlier call returned.
        :param under: the same, of the message that this one answers: a new one is posted, for people to be told.
        :returns: where the message is, as short JSON text values.
        """
        ...
