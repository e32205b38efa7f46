"""What a registry may send, and what is refused before anything is believed of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.manifest import Index, Manifest, read_config, read_json, read_manifest
from cd_provider.exceptions import ImageNotFoundError, RegistryAnswerError
from tests.stack.oci_push import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Made,
    as_json,
    attestation,
    image,
    index,
)

AMD, ARM = image("linux/amd64"), image("linux/arm64/v8")
PART = {"digest": AMD.digest, "size": 3, "mediaType": OCI_MANIFEST}
HELM = image(config_type="application/vnd.cncf.helm.config.v1+json")


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(index(AMD, ARM, attestation(AMD)), id="OCI"),
        pytest.param(index(AMD, ARM, media_type=False), id="OCI without a type of its own"),
        pytest.param(index(AMD, ARM, docker=True), id="Docker"),
    ],
)
def test_an_index_names_its_images_and_no_attestation(made: Made) -> None:
    document = read_manifest(made.body, made.media_type, what="x")

    assert isinstance(document, Index)
    assert [(one.platform, one.digest) for one in document.children] == [
        ("linux/amd64", AMD.digest),
        ("linux/arm64", ARM.digest),
    ]


@pytest.mark.parametrize("docker", [pytest.param(False, id="OCI"), pytest.param(True, id="Docker")])
def test_the_size_of_an_image_is_its_layers_and_its_config(docker: bool) -> None:
    made = image(docker=docker, layers=(b"12345", b"123"))

    document = read_manifest(made.body, made.media_type, what="x")

    assert isinstance(document, Manifest)
    assert document.size_bytes == 8 + len(made.blobs[0])


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        pytest.param(AMD.body, OCI_INDEX, id="a manifest that is called an index"),
        pytest.param(AMD.body, DOCKER_MANIFEST, id="OCI's that is called Docker's"),
        pytest.param(index(AMD).body, DOCKER_LIST, id="an index of the other kind"),
        pytest.param(AMD.body, "text/html", id="a page"),
        pytest.param(AMD.body, "", id="no type"),
        pytest.param(
            as_json({"fsLayers": []}), "application/vnd.docker.distribution.manifest.v1+json", id="schema 1"
        ),
        pytest.param(
            as_json({"manifests": [], "config": PART, "layers": []}), OCI_INDEX, id="both, an index"
        ),
        pytest.param(
            as_json({"manifests": [], "config": PART, "layers": []}), OCI_MANIFEST, id="both, a manifest"
        ),
        pytest.param(as_json({"manifests": {}}), OCI_INDEX, id="images that are no list"),
        pytest.param(as_json({"manifests": [None]}), OCI_INDEX, id="an image that is nothing"),
        pytest.param(as_json({"manifests": [{**PART, "size": -1}]}), OCI_INDEX, id="less than no bytes"),
        pytest.param(as_json({"manifests": [{**PART, "size": True}]}), OCI_INDEX, id="a size that is true"),
        pytest.param(as_json({"manifests": [{**PART, "size": "3"}]}), OCI_INDEX, id="a size that is text"),
        pytest.param(as_json({"manifests": [{**PART, "digest": "../x"}]}), OCI_INDEX, id="a path as digest"),
        pytest.param(as_json({"manifests": [{**PART, "digest": None}]}), OCI_INDEX, id="no digest"),
        pytest.param(as_json({"manifests": [{**PART, "platform": {"os": "linux"}}]}), OCI_INDEX, id="half"),
        pytest.param(
            as_json({"manifests": [{**PART, "platform": "linux"}]}), OCI_INDEX, id="platform as text"
        ),
        pytest.param(as_json({"layers": []}), OCI_MANIFEST, id="no config"),
        pytest.param(as_json({"config": None, "layers": []}), OCI_MANIFEST, id="a config that is nothing"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(body: bytes, media_type: str) -> None:
    with pytest.raises(RegistryAnswerError):
        read_manifest(body, media_type, what="shop at r")


def test_a_helm_chart_is_no_image() -> None:
    with pytest.raises(ImageNotFoundError, match=r"no image that can run: its config is of type .*helm"):
        read_manifest(HELM.body, HELM.media_type, what="x")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a": 1, "a": 2}', id="a key twice"),
        pytest.param(b'{"a": {"b": 1, "b": 2}}', id="a key twice, deeper"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": -Infinity}', id="Infinity"),
        pytest.param(b"[" * 200_000, id="deep"),
        pytest.param(b'{"a": ' * 200_000, id="deep objects"),
        pytest.param(b"\xef\xbb\xbf{}", id="a mark before it"),
        pytest.param(b'{"a": "\xff"}', id="no UTF-8"),
        pytest.param(b"{} {}", id="two of them"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_only_one_plain_object_is_read(body: bytes) -> None:
    with pytest.raises(RegistryAnswerError, match="shop at r"):
        read_json(body, what="shop at r")


@given(st.binary(max_size=40), st.sampled_from([OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST]))
def test_no_bytes_break_the_reader(body: bytes, media_type: str) -> None:
    with pytest.raises(RegistryAnswerError):
        read_manifest(body, media_type, what="x")


def test_a_config_tells_platform_time_and_labels() -> None:
    made = image("linux/arm/v6", created="2026-01-02T03:04:05Z", labels={"a": "b"})

    config = read_config(made.blobs[0], what="x")

    assert (config.platform, config.created, config.labels) == (
        "linux/arm/v6",
        "2026-01-02T03:04:05Z",
        {"a": "b"},
    )


@pytest.mark.parametrize(
    "inner",
    [pytest.param({}, id="empty"), pytest.param({"Labels": None}, id="null"), pytest.param(None, id="no")],
)
def test_a_config_without_labels_is_fine(inner: Any) -> None:
    assert read_config(image(config={"config": inner}).blobs[0], what="x").labels == {}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"os": ""}, id="no system"),
        pytest.param({"architecture": 64}, id="an architecture that is a number"),
        pytest.param({"created": 5}, id="a time that is a number"),
        pytest.param({"config": {"Labels": ["a"]}}, id="labels in a list"),
        pytest.param({"config": "x"}, id="text"),
    ],
)
def test_a_malformed_config_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(RegistryAnswerError):
        read_config(image(config=more).blobs[0], what="x")
