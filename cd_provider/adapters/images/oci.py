"""Images of an OCI registry: a tag is looked up once, and everything after that goes by digest."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from cd_provider.core.image import ImageFacts, ImageRef, PlatformFacts
from cd_provider.core.manifest import Config, Descriptor, Manifest, read_config, read_manifest
from cd_provider.exceptions import CdProviderError, ImageNotFoundError, RegistryAnswerError

if TYPE_CHECKING:
    from cd_provider.hooks.registry_client import Content, RegistryClient

log = logging.getLogger(__name__)

CONFIG_BYTES = 8 * 1024 * 1024
MOST_CHILDREN = 64  # of one index
_DEEPEST = 3  # an index may name an index
_NEAR = 5
_ATTACHED = re.compile(r"sha(256|512)-[0-9a-f]+(\..*)?")  # signatures and the like, kept as tags


@dataclass(frozen=True)
class _Image:
    """One runnable image of an index, with what its config says."""

    digest: str
    platform: str
    manifest: Manifest
    config: Config

    @property
    def facts(self) -> PlatformFacts:
        size, created = self.manifest.size_bytes, self.config.created
        return PlatformFacts(self.platform, self.digest, self.manifest.config.digest, size, created)


class OciImages:
    """An ``ImageSource`` on a registry client; whoever opened the client closes it."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def tags(self, repository: str) -> Sequence[str]:
        """
        Give every tag of ``host/path``, in the registry's order.

        :raises ImageReferenceError: it is no ``host/path``.
        """
        return await self._client.tags(ImageRef.parse(f"{repository}:any").repository)

    async def facts(self, image: ImageRef) -> ImageFacts:
        """
        Look one reference up; with tag and digest, the digest decides, as it does for a node.

        :raises RegistryAnswerError: what comes back is malformed, too large or not what its digest says.
        """
        root = await self._resolve(image)
        images = await self._images(image, root, media_type=None, platform=None, depth=0)
        if not images:
            raise ImageNotFoundError(f"{image}: the index {root.digest} names no image that can run.")
        return ImageFacts(
            pinned=image.pinned(root.digest),
            tag=image.tag,
            platforms=tuple(one.facts for one in images),
            labels=images[0].config.labels,
        )

    async def _resolve(self, image: ImageRef) -> Content:
        try:
            return await self._client.manifest(image.repository, image.digest or image.tag or "")
        except ImageNotFoundError as err:
            if image.digest:
                raise
            raise ImageNotFoundError(f"{err} {await self._near(image)}") from err

    async def _near(self, image: ImageRef) -> str:
        """Name the tags that may have been meant."""
        try:
            listed = await self._client.tags(image.repository)
        except ImageNotFoundError:
            return f"There is no repository {image.path} there."
        except CdProviderError:
            return "Its tags could not be listed."
        tags = sorted(tag for tag in listed if not _ATTACHED.fullmatch(tag))
        near = get_close_matches(image.tag or "", tags, n=_NEAR, cutoff=0.3) or tags[-_NEAR:]
        return f"{image.path} has {len(tags)} tag(s) there" + (
            f", such as {', '.join(near)}." if near else "."
        )

    async def _images(
        self, image: ImageRef, content: Content, *, media_type: str | None, platform: str | None, depth: int
    ) -> list[_Image]:
        what = f"{image.repository}@{content.digest}"
        document = read_manifest(content.body, media_type or content.media_type, what=what)
        if isinstance(document, Manifest):
            return [await self._image(image, content.digest, document, platform=platform)]
        if len(document.children) > MOST_CHILDREN or depth >= _DEEPEST:
            raise RegistryAnswerError(
                f"{what}: it names {len(document.children)} images, {depth} indexes deep; "
                f"{MOST_CHILDREN} and {_DEEPEST} are the most we read."
            )
        found = await _together([self._child(image, one, depth=depth) for one in document.children])
        return [one for images in found for one in images]

    async def _child(self, image: ImageRef, child: Descriptor, *, depth: int) -> list[_Image]:
        what = f"{image}: {child.digest} ({child.platform or 'platform not said'})"
        try:
            content = await self._client.manifest(image.repository, child.digest)
            _check_size(content, child, what=what)
            return await self._images(
                image, content, media_type=child.media_type, platform=child.platform, depth=depth + 1
            )
        except ImageNotFoundError as err:
            # An index may name what was not copied along, or no image: a node cannot run it either way.
            log.warning("%s is left out: %s", what, err)
            return []

    async def _image(
        self, image: ImageRef, digest: str, manifest: Manifest, *, platform: str | None
    ) -> _Image:
        what = f"{image}: config of {digest}"
        content = await self._client.blob(image.repository, manifest.config.digest, limit=CONFIG_BYTES)
        _check_size(content, manifest.config, what=what)
        config = read_config(content.body, what=what)
        if platform is not None and platform != config.platform:
            # Nodes choose by the index; a wrong config of a cross build runs all the same.
            log.warning("%s says %s, the index says %s, which counts.", what, config.platform, platform)
        return _Image(digest, platform or config.platform, manifest, config)


def _check_size(content: Content, descriptor: Descriptor, *, what: str) -> None:
    if len(content.body) != descriptor.size:
        raise RegistryAnswerError(
            f"{what}: saw {len(content.body)} bytes, but {descriptor.size} are announced for this digest."
        )


async def _together(calls: Sequence[Coroutine[Any, Any, list[_Image]]]) -> list[list[_Image]]:
    """Run them at once; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
