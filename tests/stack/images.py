"""Images of the shop: built from scratch in the stack's Docker engine, pushed to its registry."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.stack.build import binary
from tests.stack.errors import StackError
from tests.stack.lock import one_at_a_time

if TYPE_CHECKING:
    from docker import DockerClient

    from tests.stack.stack import Stack


def push_shop(
    stack: Stack,
    version: str,
    *,
    error_share: float = 0.0,
    error_status: int = 500,
    latency_ms: int = 0,
    crash: bool = False,
    crash_after_s: float = 0.0,
    ready_after_s: float = 0.0,
    tag: str | None = None,
    repository: str = "shop",
) -> str:
    """
    Build and push one version of the shop.

    :param error_share: share of the requests that fail, 0 to 1. :param error_status: what those are answered.
    :param crash: end with code 1 after ``crash_after_s``.
    :param tag: the tag in the registry; ``version`` when None.
    :returns: the reference by digest, ``127.0.0.1:5000/shop@sha256:…``.
    """
    settings: dict[str, object] = {"VERSION": version, "ERROR_SHARE": error_share, "LATENCY_MS": latency_ms}
    if error_status != 500:
        settings["ERROR_STATUS"] = error_status
    if crash:
        settings |= {"CRASH": "true", "CRASH_AFTER_S": crash_after_s}
    if ready_after_s:
        settings["READY_AFTER_S"] = ready_after_s
    image = f"{stack.registry}/{repository}"
    with (
        one_at_a_time("images"),
        docker_client(stack) as client,
    ):  # two at once would give one version two digests
        client.images.build(
            fileobj=_context(settings), custom_context=True, tag=f"{image}:{tag or version}", rm=True
        )
        return f"{image}@{_push(client, image, tag or version)}"


@contextmanager
def docker_client(stack: Stack) -> Iterator[DockerClient]:
    """A client of the stack's Docker engine, closed at the end."""
    from docker import DockerClient

    client = DockerClient(base_url=stack.docker_host, timeout=60)
    try:
        yield client
    finally:
        client.close()


def _push(client: DockerClient, image: str, tag: str) -> str:
    for event in client.images.push(image, tag=tag, stream=True, decode=True):
        if "error" in event:
            raise StackError(f"pushing {image}:{tag} failed: {event['error']}")
        digest = event.get("aux", {}).get("Digest")
        if digest:
            return str(digest)
    raise StackError(f"pushing {image}:{tag} gave no digest.")


def _context(environment: Mapping[str, object]) -> io.BytesIO:
    lines = [f"ENV {name}={value}" for name, value in environment.items()]
    dockerfile = "\n".join(
        [
            "FROM scratch",
            "COPY shop /shop",
            *lines,
            "USER 65532:65532",
            "EXPOSE 8080",
            'ENTRYPOINT ["/shop"]',
            "",
        ]
    )
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in (("Dockerfile", dockerfile.encode()), ("shop", binary("shop").read_bytes())):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    output.seek(0)
    return output
