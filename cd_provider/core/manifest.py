"""
What stands in an index, a manifest and a config; what two programs could read differently is refused.

Source: OCI image specification 1.1 (index, manifest, config); Docker's "Image Manifest Version 2, Schema 2".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cd_provider.exceptions import ImageNotFoundError, RegistryAnswerError

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "x86-64": "amd64"}
_IMPLIED = {("arm64", "v8"), ("amd64", "v1")}
_UNKNOWN = "unknown/unknown"  # how builders mark the attestations that they put beside the images


@dataclass(frozen=True)
class Descriptor:
    """Where one part is: its digest, its size in bytes, its type, and the platform when the index says it."""

    digest: str
    size: int
    media_type: str
    platform: str | None = None


@dataclass(frozen=True)
class Index:
    """A list of images, one for each platform; attestations are left out."""

    children: tuple[Descriptor, ...]


@dataclass(frozen=True)
class Manifest:
    """One image: its config, and how many bytes a node pulls (compressed layers and config)."""

    config: Descriptor
    size_bytes: int


@dataclass(frozen=True)
class Config:
    """What the builder wrote: platform, time (RFC 3339, as written), labels."""

    platform: str
    created: str | None
    labels: Mapping[str, str] = field(default_factory=dict)


def read_json(body: bytes, *, what: str) -> dict[str, Any]:
    """
    Read one JSON object.

    :raises RegistryAnswerError: no UTF-8, no object, a key twice, NaN or Infinity, or nested too deeply.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as err:
        raise RegistryAnswerError(f"{what}: no JSON that can be relied on ({str(err)[:120]}).") from err
    if not isinstance(value, dict):
        raise RegistryAnswerError(f"{what}: saw a JSON {type(value).__name__}, expected an object.")
    return value


def read_manifest(body: bytes, media_type: str, *, what: str) -> Index | Manifest:
    """
    Read what a reference names.

    :param media_type: what the registry calls it.
    :raises RegistryAnswerError: malformed, or of another type than the registry says.
    :raises ImageNotFoundError: it is well-formed, and nothing that a node could run (a Helm chart, say).
    """
    value = read_json(body, what=what)
    said = value.get("mediaType", media_type)
    if said != media_type:
        raise RegistryAnswerError(
            f"{what}: it calls itself {said!r}, and the registry calls it {media_type!r}."
        )
    if media_type in INDEXES and "config" not in value and "layers" not in value:
        children = [_descriptor(one, what=what) for one in _list(value, "manifests", what=what)]
        return Index(tuple(child for child in children if child.platform != _UNKNOWN))
    if media_type in MANIFESTS and "manifests" not in value:
        return _manifest(value, what=what)
    raise RegistryAnswerError(
        f"{what}: it is of type {media_type!r}, expected a manifest or an index, either OCI's or Docker's "
        "(version 2, schema 2)."
    )


def read_config(body: bytes, *, what: str) -> Config:
    """
    Read an image's config.

    :raises RegistryAnswerError: malformed.
    """
    value = read_json(body, what=what)
    inner = value.get("config") or {}
    labels = inner.get("Labels") or {} if isinstance(inner, dict) else None
    created = value.get("created")
    if not isinstance(labels, dict) or not isinstance(created, str | None):
        raise RegistryAnswerError(f"{what}: its labels or its time of creation have the wrong form.")
    platform = _platform(value, what=what)
    return Config(platform, created or None, {str(key): str(text) for key, text in labels.items()})


def platform_name(text: str) -> str:
    """
    Write a platform in one way: ``linux/aarch64``, ``linux/arm64/v8`` → ``linux/arm64``.

    Source: how containerd normalises platforms.
    """
    system, _, rest = text.strip().lower().partition("/")
    architecture, _, variant = rest.partition("/")
    architecture = _ARCHITECTURES.get(architecture, architecture)
    if architecture == "arm":
        variant = variant or "v7"
    if not variant or (architecture, variant) in _IMPLIED:
        return f"{system}/{architecture}"
    return f"{system}/{architecture}/{variant}"


def _manifest(value: Mapping[str, Any], *, what: str) -> Manifest:
    config = _descriptor(value.get("config"), what=what)
    if config.media_type not in CONFIGS:
        raise ImageNotFoundError(
            f"{what}: it is no image that can run: its config is of type {config.media_type!r}, expected "
            f"{CONFIGS[0]}."
        )
    layers = [_descriptor(one, what=what) for one in _list(value, "layers", what=what)]
    return Manifest(config, config.size + sum(layer.size for layer in layers))


def _descriptor(value: Any, *, what: str) -> Descriptor:
    given = value if isinstance(value, dict) else {}
    digest, size, media_type = given.get("digest"), given.get("size"), given.get("mediaType")
    well_formed = isinstance(digest, str) and _DIGEST.fullmatch(digest) and isinstance(media_type, str)
    if not well_formed or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise RegistryAnswerError(f"{what}: one of its parts has no digest, size and type that can be used.")
    platform = given.get("platform")
    return Descriptor(str(digest), size, str(media_type), platform and _platform(platform, what=what))


def _platform(value: Any, *, what: str) -> str:
    parts = [value.get(key) for key in ("os", "architecture")] if isinstance(value, dict) else [None]
    if not all(isinstance(part, str) and part for part in parts):
        raise RegistryAnswerError(f"{what}: it does not say for which platform it is (os and architecture).")
    return platform_name("/".join([*map(str, parts), str(value.get("variant") or "")]))


def _list(value: Mapping[str, Any], key: str, *, what: str) -> Sequence[Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise RegistryAnswerError(f"{what}: it has no list of {key}.")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")
