"""Verify an image before anything is done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator, timezone

from cd_provider.adapters.images import open_image_source
from cd_provider.core.image import ImageFacts, ImageRef
from cd_provider.core.image_policy import ImagePolicy, built_text, created_at
from cd_provider.exceptions import ImagePolicyError, ImageReferenceError
from cd_provider.operators.common import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

SOURCE_COMMIT = "org.opencontainers.image.revision"


class ImageVerifyOperator(BaseAsyncOperator):
    """
    Look an image up in its registry, pin it to its digest, and hold it against a few rules.

    Everything downstream takes the pinned image from this task's XCom: a tag may move, a digest cannot.

    :param image: ``host/path:tag`` or ``host/path@sha256:…`` (templated).
    :param registry_conn_id: the connection of that host; for another, nothing is sent (templated).
    :param platforms: each of these must be there, such as ``["linux/amd64"]``; None: any (templated).
    :param max_size: most compressed bytes of one platform, such as ``"2G"``; None: any (templated).
    :param max_age: most time since it was built, such as ``"90d"``; None: any (templated).
    :returns: ``{"image": "host/path@sha256:…", "tag", "digests", "platforms", "created", "size_bytes",
        "source_commit"}``: ``digests`` are all under which a node may report it; ``created`` is the oldest
        time stamp and ``size_bytes`` the largest size among the platforms that were looked at.
    """

    template_fields: Sequence[str] = ("image", "registry_conn_id", "platforms", "max_size", "max_age")

    def __init__(
        self,
        *,
        image: str,
        registry_conn_id: str = "registry_default",
        platforms: Sequence[str] | str | None = None,
        max_size: str | int | None = None,
        max_age: str | float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        rules = {"platforms": platforms, "max_size": max_size, "max_age": max_age}
        ImagePolicy.parse(**{name: value for name, value in rules.items() if not _rendered_later(value)})
        self.image = image
        self.registry_conn_id = registry_conn_id
        self.platforms = platforms
        self.max_size = max_size
        self.max_age = max_age

    def execute(self, context: Context) -> Any:
        """Do it: what a person has to mend fails the task for good, what may pass is tried again."""
        with airflow_errors(context):
            return super().execute(context)

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Look it up, judge it, describe it."""
        image = _rendered(self.image)
        policy = ImagePolicy.parse(platforms=self.platforms, max_size=self.max_size, max_age=self.max_age)
        async with open_image_source("oci", self.registry_conn_id) as source:
            facts = await source.facts(image)
        _judge(image, facts, policy)
        verified = _describe(facts, policy)
        self.log.info(
            "%d platform(s), %.1f MiB, built %s: %s is %s",
            len(verified["platforms"]),
            verified["size_bytes"] / 2**20,
            built_text(verified["created"]),
            image,
            verified["image"],
        )
        return verified


def _rendered_later(value: Any) -> bool:
    """Whether a value is a template, or another task's output."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        return not isinstance(value, int | float | None)
    return any(not isinstance(one, str) or "{{" in one or "{%" in one for one in given)


def _rendered(image: Any) -> ImageRef:
    if image is None or not str(image).strip() or str(image).strip() == "None":
        raise ImageReferenceError(
            "image: the template rendered to nothing; is the parameter or the XCom that it takes set?"
        )
    return ImageRef.parse(image)


def _judge(image: ImageRef, facts: ImageFacts, policy: ImagePolicy) -> None:
    if faults := policy.faults(facts, now=timezone.utcnow().timestamp()):
        raise ImagePolicyError(
            f"{image} ({facts.pinned.digest}) breaks {len(faults)} rule(s): {'; '.join(faults)}. "
            "Build another image, or change platforms, max_size or max_age of this task."
        )


def _describe(facts: ImageFacts, policy: ImagePolicy) -> dict[str, Any]:
    seen = policy.looked_at(facts)
    created = [one.created for one in seen if created_at(one.created)]
    return {
        "image": str(facts.pinned),
        "tag": facts.tag,
        "digests": sorted(facts.digests),
        "platforms": sorted({one.platform for one in facts.platforms}),
        "created": min(created, key=lambda text: created_at(text) or 0.0, default=None),
        "size_bytes": max(one.size_bytes for one in seen),
        "source_commit": facts.labels.get(SOURCE_COMMIT) or None,
    }
