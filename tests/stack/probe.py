"""An image whose command says what it does: end, fail, grow, write, fork, dial, serve."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from tests.stack.build import binary
from tests.stack.errors import StackError
from tests.stack.images import docker_client

if TYPE_CHECKING:
    from tests.stack.stack import Stack

USER = "65532:65532"


def push_probe(stack: Stack, *, with_wget: bool = False) -> str:
    """
    Build and push it; give the reference by digest.

    :param with_wget: have a program of that name in the image, as most images that are not from scratch do.
    """
    name = f"{stack.registry}/probe{'-wget' if with_wget else ''}"
    with docker_client(stack) as client:
        client.images.build(
            fileobj=_context(with_wget=with_wget), custom_context=True, tag=f"{name}:v1", rm=True
        )
        for event in client.images.push(name, tag="v1", stream=True, decode=True):
            if digest := event.get("aux", {}).get("Digest"):
                return f"{name}@{digest}"
    raise StackError(f"pushing {name}:v1 gave no digest.")


def _context(*, with_wget: bool) -> io.BytesIO:
    wget = "COPY probe /bin/wget\nENV PATH=/bin\n" if with_wget else ""
    dockerfile = f'FROM scratch\nCOPY probe /probe\n{wget}USER {USER}\nENTRYPOINT ["/probe"]\n'
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in (("Dockerfile", dockerfile.encode()), ("probe", binary("probe").read_bytes())):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    output.seek(0)
    return output
