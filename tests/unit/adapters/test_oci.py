"""An index and all that it names, looked up on a registry that may change, lie or have holes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from cd_provider.adapters.images.oci import CONFIG_BYTES, MOST_CHILDREN, OciImages
from cd_provider.core.image import ImageFacts, ImageRef
from cd_provider.exceptions import (
    ImageNotFoundError,
    ImageReferenceError,
    RegistryAnswerError,
    RegistryUnavailableError,
)
from cd_provider.hooks.registry_client import RegistryClient
from cd_provider.hooks.registry_settings import RegistrySettings
from tests.loopback import Answer, Request
from tests.registries.double import RegistryDouble, error, on
from tests.stack.oci_push import DOCKER_MANIFEST, OCI_MANIFEST, Made, attestation, digest, image, index

AMD = image("linux/amd64", labels={"who": "amd"}, layers=(b"12345",))
ARM = image("linux/arm64/v8", labels={"who": "arm"})
HELM = image(config_type="application/vnd.cncf.helm.config.v1+json")


@asynccontextmanager
async def source_of(registry: RegistryDouble) -> AsyncIterator[OciImages]:
    settings = RegistrySettings("reg", registry.host, insecure_http=True)
    async with httpx.AsyncClient(verify=False) as http:
        yield OciImages(RegistryClient(settings, http))


async def facts_of(registry: RegistryDouble, name: str = "shop:v1") -> ImageFacts:
    async with source_of(registry) as source:
        return await source.facts(ImageRef.parse(f"{registry.host}/{name}"))


def holding(made: Made, *faults: Any) -> RegistryDouble:
    registry = RegistryDouble(*faults)
    registry.hold("shop", "v1", made)
    return registry


async def test_a_tag_that_moves_meanwhile_yields_no_mixture() -> None:
    old, new = index(AMD, ARM), index(image("linux/amd64", labels={"who": "new"}))

    def move(request: Request) -> None:
        if not request.path.endswith("/v1"):
            registry.hold("shop", "v1", new)

    with holding(old, move) as registry:
        facts = await facts_of(registry)

    assert facts.pinned.digest == old.digest
    assert {one.manifest for one in facts.platforms} == {AMD.digest, ARM.digest}
    assert facts.labels == {"who": "amd"}
    assert len(registry.asked("manifests/v1")) == 1


async def test_an_attestation_is_no_platform_and_not_even_fetched() -> None:
    beside = attestation(AMD)
    with holding(index(AMD, beside)) as registry:
        facts = await facts_of(registry)

    assert [one.platform for one in facts.platforms] == ["linux/amd64"]
    assert registry.asked(beside.digest) == []


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(index(attestation(AMD)), id="attestations alone"),
        pytest.param(index(), id="nothing"),
        pytest.param(index(HELM), id="a chart"),
        pytest.param(HELM, id="a chart by itself"),
    ],
)
async def test_what_names_no_image_is_not_found(made: Made) -> None:
    with holding(made) as registry, pytest.raises(ImageNotFoundError, match="no image that can run"):
        await facts_of(registry)


async def test_an_index_within_an_index_is_read() -> None:
    with holding(index(AMD, index(ARM))) as registry:
        facts = await facts_of(registry)

    assert [one.platform for one in facts.platforms] == ["linux/amd64", "linux/arm64"]


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(index(index(index(index(AMD)))), id="deep"),
        pytest.param(index(*[AMD] * (MOST_CHILDREN + 1)), id="wide"),
    ],
)
async def test_an_index_without_bounds_is_refused(made: Made) -> None:
    with holding(made) as registry, pytest.raises(RegistryAnswerError, match="the most we read"):
        await facts_of(registry)


async def test_an_image_that_was_not_copied_along_is_left_out() -> None:
    with holding(index(AMD, ARM), on(ARM.digest, error(404, "MANIFEST_UNKNOWN"))) as registry:
        facts = await facts_of(registry)

    assert [one.platform for one in facts.platforms] == ["linux/amd64"]


async def test_a_config_that_is_missing_is_named() -> None:
    with (
        holding(AMD, on("/blobs/", error(404, "BLOB_UNKNOWN"))) as registry,
        pytest.raises(ImageNotFoundError, match=digest(AMD.blobs[0])),
    ):
        await facts_of(registry)


async def test_an_outage_in_the_middle_is_an_outage() -> None:
    with (
        holding(index(AMD, ARM), on(ARM.digest, error(503, "DOWN"))) as registry,
        pytest.raises(RegistryUnavailableError, match="503 DOWN"),
    ):
        await facts_of(registry)


@pytest.mark.parametrize(
    ("part", "answer"),
    [
        pytest.param(f"manifests/{ARM.digest}", Answer(AMD.body), id="another manifest"),
        pytest.param(f"manifests/{ARM.digest}", Answer(ARM.body + b" "), id="a longer manifest"),
        pytest.param(f"blobs/{digest(ARM.blobs[0])}", Answer(AMD.blobs[0]), id="another config"),
        pytest.param("/blobs/", Answer(b"x" * (CONFIG_BYTES + 1)), id="a config without an end"),
        pytest.param("/v1", Answer(b"{", headers={"Content-Type": AMD.media_type}), id="half a manifest"),
    ],
)
async def test_a_part_that_is_not_what_its_digest_says_is_refused(part: str, answer: Answer) -> None:
    with holding(index(AMD, ARM), on(part, answer)) as registry, pytest.raises(RegistryAnswerError):
        await facts_of(registry)


async def test_a_size_that_the_index_gives_wrong_is_refused() -> None:
    wrong = index(AMD).body.replace(f'"size": {len(AMD.body)}'.encode(), b'"size": 7')
    with (
        holding(Made(wrong, index(AMD).media_type, children=(AMD,))) as registry,
        pytest.raises(RegistryAnswerError, match="but 7 are announced"),
    ):
        await facts_of(registry)


async def test_a_size_that_the_manifest_gives_wrong_is_refused() -> None:
    announced = f'"size": {len(AMD.blobs[0])}'.encode()
    wrong = Made(AMD.body.replace(announced, b'"size": 7'), AMD.media_type, AMD.blobs)
    with holding(wrong) as registry, pytest.raises(RegistryAnswerError, match="but 7 are announced"):
        await facts_of(registry)


async def test_a_type_that_the_index_gives_wrong_is_refused() -> None:
    wrong = index(AMD).body.replace(OCI_MANIFEST.encode(), DOCKER_MANIFEST.encode())
    made = Made(wrong, index(AMD).media_type, children=(AMD,))
    with holding(made) as registry, pytest.raises(RegistryAnswerError, match="calls itself"):
        await facts_of(registry)


async def test_where_index_and_config_disagree_the_index_counts_as_it_does_for_a_node() -> None:
    crossed = image("linux/arm64", config={"architecture": "amd64"})
    with holding(index(crossed)) as registry:
        facts = await facts_of(registry)

    assert [one.platform for one in facts.platforms] == ["linux/arm64"]


async def test_a_child_without_a_platform_has_its_configs() -> None:
    bare = Made(AMD.body, AMD.media_type, AMD.blobs)
    with holding(index(bare)) as registry:
        facts = await facts_of(registry)

    assert [one.platform for one in facts.platforms] == ["linux/amd64"]


async def test_a_tag_that_is_missing_is_told_with_its_neighbours() -> None:
    with holding(AMD) as registry:
        for tag in ("v1.10", "v2", "nightly", f"sha256-{'0' * 64}.sig"):
            registry.hold("shop", tag, AMD)
        with pytest.raises(ImageNotFoundError) as caught:
            await facts_of(registry, "shop:v1.1")

    assert f"{registry.host}/shop:v1.1: " in str(caught.value)
    assert "404 MANIFEST_UNKNOWN" in str(caught.value)
    assert "shop has 4 tag(s) there, such as v1.10, v1, v2." in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(error(404, "NAME_UNKNOWN"), "There is no repository shop there.", id="no repository"),
        pytest.param(error(401, "UNAUTHORIZED"), "Its tags could not be listed.", id="listing is forbidden"),
        pytest.param(Answer(b'{"tags": null}'), "shop has 0 tag(s) there.", id="no tags"),
    ],
)
async def test_without_neighbours_a_missing_tag_is_told_all_the_same(fault: Answer, said: str) -> None:
    with RegistryDouble(on("tags/list", fault)) as registry, pytest.raises(ImageNotFoundError) as caught:
        await facts_of(registry)

    assert str(caught.value).endswith(said)


async def test_a_digest_that_is_missing_has_no_neighbours() -> None:
    with holding(AMD) as registry, pytest.raises(ImageNotFoundError):
        await facts_of(registry, f"shop@{ARM.digest}")

    assert registry.asked("tags/list") == []


@pytest.mark.parametrize("repository", ["shop:v1", "", "a//b", "host.example/shop@sha256"])
async def test_tags_are_those_of_a_repository(repository: str) -> None:
    with RegistryDouble() as registry:
        async with source_of(registry) as source:
            with pytest.raises(ImageReferenceError):
                await source.tags(repository)

    assert registry.requests == []
