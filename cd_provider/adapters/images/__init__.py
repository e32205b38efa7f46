"""Where images are found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.ports import ImageSource


def open_image_source(kind: str, conn_id: str) -> AbstractAsyncContextManager[ImageSource]:
    """
    Open a source of images by its short name.

    :param kind: one of :data:`IMAGE_SOURCES`.
    :param conn_id: the Airflow connection that says how to reach it.
    :raises ArgumentError: the name is not known.
    :raises ConnectionFaultError: while opening: the connection is missing or cannot be used.
    """
    if kind not in IMAGE_SOURCES:
        raise ArgumentError(
            f"image source: saw {kind!r}, expected one of {', '.join(sorted(IMAGE_SOURCES))}."
        )
    return IMAGE_SOURCES[kind](conn_id)


@asynccontextmanager
async def _oci(conn_id: str) -> AsyncIterator[ImageSource]:
    from cd_provider.adapters.images.oci import OciImages
    from cd_provider.hooks.registry import RegistryHook

    async with RegistryHook(conn_id).client() as client:
        yield OciImages(client)


IMAGE_SOURCES: Mapping[str, Callable[[str], AbstractAsyncContextManager[ImageSource]]] = {"oci": _oci}
