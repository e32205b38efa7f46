"""
Every error raised on purpose.

Below :class:`CdProviderError` stand two branches, because one question matters: would a retry help?
Operators turn :class:`PermanentError` into ``AirflowFailException``; a :class:`TransientError` keeps the
task's retries.
"""

from __future__ import annotations

from collections.abc import Sequence


class CdProviderError(Exception):
    """Something that cd_provider noticed and can explain."""


class PermanentError(CdProviderError):
    """Trying again changes nothing: a person has to act."""


class TransientError(CdProviderError):
    """The same call may succeed later."""


# --- what people write --------------------------------------------------------------------------------------


class ArgumentError(PermanentError, ValueError):
    """An argument has the wrong shape, name or range."""


class ImageReferenceError(ArgumentError):
    """A text is no image reference."""


class RecordRefusedError(PermanentError):
    """A file is no record of a judged canary, or one that this version does not judge."""


class PlanError(PermanentError):
    """The plan found faults, one at least that stays until a person acts; nothing was touched."""

    def __init__(self, *, app: str, faults: Sequence[str]) -> None:
        self.app, self.faults = app, tuple(faults)
        super().__init__(_listed(app, self.faults))


class PlanUnavailableError(TransientError):
    """The plan found nothing but outages, which may pass; nothing was touched."""

    def __init__(self, *, app: str, faults: Sequence[str]) -> None:
        self.app, self.faults = app, tuple(faults)
        super().__init__(
            f"{_listed(app, self.faults)}\nThese may pass: the task is tried again while it has retries; after the "
            "last, clear this task once what is named answers."
        )


def _listed(app: str, faults: Sequence[str]) -> str:
    lines = "\n".join(f"  {number}. {fault}" for number, fault in enumerate(faults, 1))
    return f"{app}: {len(faults)} fault(s) found, nothing was touched:\n{lines}"


class ConnectionFaultError(PermanentError):
    """An Airflow connection is missing, or says something that cannot be used."""


# --- images -------------------------------------------------------------------------------------------------


class ImageNotFoundError(PermanentError):
    """The registry answers, and has no such image."""


class ImagePolicyError(PermanentError):
    """The image exists, and breaks a rule that the caller set (platform, size, age)."""


class RegistryRefusedError(PermanentError):
    """The registry (or its token service) refuses these credentials, or the image names another host."""


class RegistryAnswerError(PermanentError):
    """The registry's answer is malformed, contradicts itself or its digest, or is larger than allowed."""


class RegistryUnavailableError(TransientError):
    """No usable answer: connection failed, 429, 5xx."""


class SmokeFailedError(PermanentError):
    """The image was tried out and did not do what was asked."""


class EngineUnavailableError(TransientError):
    """The Docker engine does not answer."""


# --- cluster ------------------------------------------------------------------------------------------------


class ClusterNotFoundError(PermanentError):
    """The API server answers, and has no such object."""


class ClusterForbiddenError(PermanentError):
    """RBAC refuses: the message names verb, resource and namespace."""


class ClusterRefusedError(PermanentError):
    """The API server understood the request and refuses it (invalid object, admission webhook, quota)."""


class ClusterConflictError(TransientError):
    """Somebody else changed the object since it was read."""


class ClusterGoneError(TransientError):
    """A watch or a list position is too old (410): list again."""


class ClusterUnauthorizedError(TransientError):
    """The API server no longer takes the credentials (401): read the connection again."""


class ClusterUnavailableError(TransientError):
    """No usable answer: connection failed, timeout, 429, 5xx."""


class ReleaseBusyError(PermanentError):
    """Another delivery holds the lock of this workload."""


class LeaseLostError(PermanentError):
    """The lock that every write needs is held by somebody else now."""


class WorkloadFailedError(PermanentError):
    """Pods do not start, or a rollout does not get on."""


class RouteError(PermanentError):
    """A route is not of a form that can be split between stable and candidate."""


# --- verdicts -----------------------------------------------------------------------------------------------


class MetricQueryError(PermanentError):
    """The metrics server refuses the query, or gives more than one value."""


class MetricsTooLargeError(MetricQueryError):
    """The answer is larger than is read at once, by us or by the server: a shorter stretch of time may work."""


class MetricsRefusedError(MetricQueryError):
    """The metrics server refuses these credentials, or is none at this address: no query can work."""


class MetricsUnavailableError(TransientError):
    """The metrics server gives no usable answer now."""


class CanaryFailedError(PermanentError):
    """The candidate was judged bad, and is off traffic."""


class NotPassedError(PermanentError):
    """Promotion was asked for without a stored PASS for exactly this release."""


class NotApprovedError(PermanentError):
    """No person said yes."""


class NotPromotedError(PermanentError):
    """The delivery ended without its release running everywhere."""


# --- people -------------------------------------------------------------------------------------------------


class NotifierRefusedError(PermanentError):
    """Whoever carries messages refuses this one: token, channel, permission or content."""


class NotifierUnavailableError(TransientError):
    """No usable answer from whoever carries messages: connection failed, timeout, too many messages, 5xx."""
