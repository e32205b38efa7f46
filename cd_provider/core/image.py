"""What an image is called, and what a registry says about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cd_provider.exceptions import ImageReferenceError

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BARE_ID = re.compile(r"docker\.io/library/(sha256:)?[0-9a-f]{64}(:.*)?")  # an id, and no name
_LONGEST = 255  # of host and path together
_SHORT = len("sha256:") + 8


@dataclass(frozen=True)
class ImageRef:
    """
    An image: registry host, path within it, and a tag or a digest (or both).

    Source: the reference grammar of the distribution project; a name without a host is Docker Hub's.
    """

    registry: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: Any) -> ImageRef:
        """
        Read ``host/path[:tag][@sha256:…]``.

        :raises ImageReferenceError: the text is empty, malformed, or names neither tag nor digest.
        """
        rest = text.strip() if isinstance(text, str) else ""
        rest, at, digest = rest.partition("@")
        head, slash, last = rest.rpartition("/")
        last, colon, tag = last.partition(":")
        first, _, path = f"{head}{slash}{last}".partition("/")
        if not path or not (set(first) & {".", ":"} or first == "localhost"):
            first, path = "docker.io", f"{head}{slash}{last}" if head else f"library/{last}"
        whole = _HOST.fullmatch(first) and _PATH.fullmatch(path) and bool(colon) == bool(tag)
        if not whole or not (tag or digest) or not _possible(first, path, tag):
            raise _no_reference(text)
        if (tag and not _TAG.fullmatch(tag)) or (at and not _DIGEST.fullmatch(digest)):
            raise _no_reference(text)
        return cls(first, path, tag or None, digest or None)

    @property
    def repository(self) -> str:
        """Host and path: what comes before tag and digest."""
        return f"{self.registry}/{self.path}"

    def pinned(self, digest: str) -> ImageRef:
        """Give the same image by digest alone."""
        return replace(self, tag=None, digest=digest)

    @property
    def short_digest(self) -> str | None:
        """The digest as far as people read it, ``sha256:55ce613b…``."""
        return f"{self.digest[:_SHORT]}…" if self.digest else None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def _possible(registry: str, path: str, tag: str) -> bool:
    port = re.search(r":(\d+)$", registry)
    name = f"{registry}/{path}"
    known = _BARE_ID.fullmatch(f"{name}:{tag}")
    return len(name) <= _LONGEST and not known and (port is None or 0 < int(port[1]) < 65536)


def _no_reference(text: Any) -> ImageReferenceError:
    # What stands before an @ that no digest follows may be a login: it is not shown.
    login = isinstance(text, str) and re.search(r"@(?!sha)", text)
    seen = "a text with '@' where no digest follows" if login else repr(text)
    return ImageReferenceError(
        f"image: saw {seen}, expected host/path:tag or host/path@sha256:<64 hex digits>, in lower case."
    )


@dataclass(frozen=True)
class PlatformFacts:
    """One runnable image: what a node of one platform pulls."""

    platform: str  # os/arch[/variant], such as linux/amd64
    manifest: str  # sha256:…
    config: str  # sha256:…, what container runtimes call the image id
    size_bytes: int  # compressed layers and config
    created: str | None = None  # RFC 3339, as the builder wrote it


@dataclass(frozen=True)
class ImageFacts:
    """What a registry says about one reference, looked up once; what follows speaks of ``pinned``."""

    pinned: ImageRef  # repository@digest of what the tag named: an index, or a single manifest
    tag: str | None
    platforms: tuple[PlatformFacts, ...]
    labels: Mapping[str, str] = field(
        default_factory=dict
    )  # of the first platform's config, e.g. the source commit

    @property
    def digests(self) -> frozenset[str]:
        """Every digest under which a node may report this image: index, manifest, config."""
        found = {self.pinned.digest or ""}
        for one in self.platforms:
            found |= {one.manifest, one.config}
        return frozenset(found - {""})
