"""What counts as an image's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.image import ImageFacts, ImageRef, PlatformFacts
from cd_provider.exceptions import ImageReferenceError

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        pytest.param("registry.example/shop:v2", "registry.example/shop", "v2", None, id="a host with a dot"),
        pytest.param("localhost/shop:v2", "localhost/shop", "v2", None, id="localhost"),
        pytest.param("127.0.0.1:5000/a/b-c:v2", "127.0.0.1:5000/a/b-c", "v2", None, id="a port"),
        pytest.param("[::1]:5000/shop:v2", "[::1]:5000/shop", "v2", None, id="IPv6"),
        pytest.param("nginx:1", "docker.io/library/nginx", "1", None, id="Docker Hub's own"),
        pytest.param("team/shop:1", "docker.io/team/shop", "1", None, id="Docker Hub"),
        pytest.param(f"r.example/shop@{DIGEST}", "r.example/shop", None, DIGEST, id="a digest"),
        pytest.param(f"r.example/shop:v2@{DIGEST}", "r.example/shop", "v2", DIGEST, id="tag and digest"),
        pytest.param("r.example/shop:v2\n", "r.example/shop", "v2", None, id="a template's last newline"),
    ],
)
def test_a_reference_is_taken_apart(text: str, repository: str, tag: str | None, digest: str | None) -> None:
    ref = ImageRef.parse(text)

    assert (ref.repository, ref.tag, ref.digest) == (repository, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(None, id="nothing"),
        pytest.param(3, id="a number"),
        pytest.param("nginx", id="neither tag nor digest"),
        pytest.param("r.example/shop:", id="an empty tag"),
        pytest.param("r.example/shop:v1@", id="an empty digest"),
        pytest.param(f"r.example/shop:@{DIGEST}", id="an empty tag before a digest"),
        pytest.param(f"r.example/shop@sha256:{HEX.upper()}", id="a digest in capitals"),
        pytest.param(f"r.example/shop@sha256:{HEX[:-1]}", id="a digest too short"),
        pytest.param(f"r.example/shop@md5:{HEX}", id="a digest of another kind"),
        pytest.param("my.host/a//b:1", id="two slashes, which must not become Docker Hub's b"),
        pytest.param("user:pw@r.example/shop:1", id="a login"),
        pytest.param("https://r.example/shop:1", id="a URL"),
        pytest.param("r.example/shop:tag:tag", id="two tags"),
        pytest.param("r.example/shop:täg", id="a tag that is not ASCII"),
        pytest.param("r.example/shop:" + "a" * 129, id="a tag too long"),
        pytest.param("r.example/" + "a" * 250 + ":1", id="a name too long"),
        pytest.param("r.example/Shop:1", id="capitals"),
        pytest.param("ｒ.example/shop:1", id="a full-width letter"),
        pytest.param("r.example/sh\u200bop:1", id="a space that nobody sees"),
        pytest.param("r.example:99999/shop:1", id="no port"),
        pytest.param("r.example:/shop:1", id="an empty port"),
        pytest.param("../shop:1", id="a path upwards"),
        pytest.param("r.example/a/../b:1", id="a path upwards inside"),
        pytest.param("r.example/a%2fb:1", id="an escape"),
        pytest.param("r.example/shop?x:1", id="a query"),
        pytest.param("r.example/shop;ls:1", id="a command"),
        pytest.param("r.example/shop:v1\0", id="a zero byte"),
        pytest.param(DIGEST, id="a digest without a name"),
        pytest.param(f"{HEX}:1", id="an image id"),
    ],
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ImageReferenceError, match="expected host/path:tag"):
        ImageRef.parse(text)


def test_a_login_in_a_reference_is_not_repeated() -> None:
    with pytest.raises(ImageReferenceError) as caught:
        ImageRef.parse("robot:hunter2@r.example/shop:1")

    assert "hunter2" not in str(caught.value)


NAMES = st.from_regex(r"[a-z0-9]{1,8}(?:[._-][a-z0-9]{1,8})?", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)


@given(
    host=st.sampled_from(["registry.example", "localhost:5000", "10.0.0.1", "[::1]:80"]),
    path=st.lists(NAMES, min_size=1, max_size=4).map("/".join),
    tag=st.none() | TAGS,
    digest=st.none() | st.just(DIGEST),
)
def test_what_was_read_is_written_back_the_same(
    host: str, path: str, tag: str | None, digest: str | None
) -> None:
    text = f"{host}/{path}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")

    if tag or digest:
        assert str(ImageRef.parse(text)) == text


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser_and_what_it_takes_is_stable(text: str) -> None:
    try:
        ref = ImageRef.parse(text)
    except ImageReferenceError:
        return

    assert ImageRef.parse(str(ref)) == ref
    assert str(ref).isascii()


def test_pinning_leaves_the_tag_behind() -> None:
    assert str(ImageRef.parse("r.example/shop:v2").pinned(DIGEST)) == f"r.example/shop@{DIGEST}"


def test_the_digests_are_those_of_index_manifests_and_configs() -> None:
    platforms = (PlatformFacts("linux/amd64", "m1", "c1", 1), PlatformFacts("linux/arm64", "m2", "c2", 1))
    facts = ImageFacts(ImageRef("r.example", "shop", digest=DIGEST), "v2", platforms)

    assert facts.digests == {DIGEST, "m1", "c1", "m2", "c2"}
