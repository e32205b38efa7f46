"""
Images made by hand and pushed through a registry's own interface: no Docker engine, every byte chosen.

Source: OCI distribution specification 1.1, "Pushing blobs", "Pushing manifests".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(body: bytes) -> str:
    """Name bytes as registries do."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def as_json(value: Any) -> bytes:
    """Write JSON as bytes, the same for equal values."""
    return json.dumps(value, sort_keys=True).encode()


@dataclass(frozen=True)
class Made:
    """A manifest or an index, with all that it names."""

    body: bytes
    media_type: str
    blobs: tuple[bytes, ...] = ()
    children: tuple[Made, ...] = ()
    platform: Mapping[str, str] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return digest(self.body)

    @property
    def descriptor(self) -> dict[str, Any]:
        """How an index names it."""
        told: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body)}
        if self.platform is not None:
            told["platform"] = dict(self.platform)
        return told | ({"annotations": dict(self.annotations)} if self.annotations else {})


def image(
    platform: str = "linux/amd64",
    *,
    created: str | None = "2026-01-02T03:04:05Z",
    labels: Mapping[str, str] | None = None,
    layers: Sequence[bytes] = (b"a layer",),
    docker: bool = False,
    config: Mapping[str, Any] | None = None,
    config_type: str | None = None,
) -> Made:
    """
    Make an image of one platform.

    :param docker: in Docker's media types instead of OCI's.
    :param config: more keys of the config; they win.
    """
    names = ("os", "architecture", "variant")
    where = dict(zip(names, platform.split("/"), strict=False))
    told = {**where, "created": created, "config": {"Labels": dict(labels or {})}, **(config or {})}
    described = as_json({key: value for key, value in told.items() if value is not None})
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _named(described, config_type or (DOCKER_CONFIG if docker else OCI_CONFIG)),
        "layers": [_named(layer, DOCKER_LAYER if docker else OCI_LAYER) for layer in layers],
    }
    return Made(as_json(body), media_type, (described, *layers), platform=where)


def attestation(of: Made) -> Made:
    """Make what builders put beside an image: a manifest of the platform ``unknown/unknown``."""
    statement = as_json({"predicateType": "https://slsa.dev/provenance/v1", "subject": of.digest})
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _named(b"{}", OCI_CONFIG),
        "layers": [_named(statement, "application/vnd.in-toto+json")],
    }
    marks = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": of.digest,
    }
    unknown = {"os": "unknown", "architecture": "unknown"}
    return Made(as_json(body), OCI_MANIFEST, (b"{}", statement), platform=unknown, annotations=marks)


def index(*children: Made, docker: bool = False, media_type: bool = True) -> Made:
    """
    Make an index of images.

    :param media_type: False leaves ``mediaType`` out of the body, which OCI allows.
    """
    kind = DOCKER_LIST if docker else OCI_INDEX
    body: dict[str, Any] = {"schemaVersion": 2, "manifests": [child.descriptor for child in children]}
    if media_type:
        body["mediaType"] = kind
    return Made(as_json(body), kind, children=children)


def push(registry: str, repository: str, tag: str, made: Made, *, client: httpx.Client | None = None) -> str:
    """
    Push what was made, parts first.

    :param registry: ``http://host:port``.
    :param client: one that sends the needed credentials.
    :returns: the digest.
    """
    if client is None:
        with httpx.Client() as anonymous:
            return push(registry, repository, tag, made, client=anonymous)
    for child in made.children:
        push(registry, repository, child.digest, child, client=client)
    for blob in made.blobs:
        _push_blob(client, f"{registry}/v2/{repository}", blob)
    where = f"{registry}/v2/{repository}/manifests/{tag}"
    put = client.put(where, content=made.body, headers={"Content-Type": made.media_type})
    put.raise_for_status()
    return made.digest


def _push_blob(client: httpx.Client, base: str, blob: bytes) -> None:
    name = digest(blob)
    if client.head(f"{base}/blobs/{name}").status_code == httpx.codes.OK:
        return
    started = client.post(f"{base}/blobs/uploads/")
    started.raise_for_status()
    where = started.url.join(started.headers["Location"]).copy_add_param("digest", name)
    headers = {"Content-Type": "application/octet-stream"}
    client.put(where, content=blob, headers=headers).raise_for_status()


def _named(body: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(body), "size": len(body)}
