"""The rules that an image is held against."""

from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.image import ImageFacts, ImageRef, PlatformFacts
from cd_provider.core.image_policy import ImagePolicy, created_at
from cd_provider.exceptions import ArgumentError

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
DAY = 86400.0


def facts(*platforms: PlatformFacts) -> ImageFacts:
    return ImageFacts(ImageRef("r.example", "shop", digest="sha256:" + "0" * 64), "v2", platforms)


def one(platform: str = "linux/amd64", size: int = 1000, created: str | None = None) -> PlatformFacts:
    return PlatformFacts(platform, f"m-{platform}", f"c-{platform}", size, created)


def test_no_rules_no_faults() -> None:
    assert ImagePolicy().faults(facts(one(created="nonsense")), now=NOW) == []


def test_each_wanted_platform_has_to_be_there() -> None:
    policy = ImagePolicy.parse(platforms=["linux/amd64", "linux/arm64", "linux/s390x"])

    assert policy.faults(facts(one("linux/amd64"), one("linux/arm/v7")), now=NOW) == [
        "platform linux/arm64 is missing, it has linux/amd64, linux/arm/v7",
        "platform linux/s390x is missing, it has linux/amd64, linux/arm/v7",
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("linux/aarch64", "linux/arm64", id="the kernel's name"),
        pytest.param("linux/arm64/v8", "linux/arm64", id="a variant that is implied"),
        pytest.param("linux/arm", "linux/arm/v7", id="a variant that is left out"),
        pytest.param("linux/arm/v6", "linux/arm/v6", id="a variant that counts"),
        pytest.param(" Linux/X86_64 ", "linux/amd64", id="capitals and spaces"),
        pytest.param("linux/amd64/v3", "linux/amd64/v3", id="a processor generation"),
    ],
)
def test_a_platform_has_one_name(written: str, read: str) -> None:
    assert ImagePolicy.parse(platforms=[written]).platforms == (read,)


def test_platforms_may_come_from_a_template_as_one_text() -> None:
    policy = ImagePolicy.parse(platforms="linux/amd64, linux/arm64,linux/amd64")

    assert policy.platforms == ("linux/amd64", "linux/arm64")


@pytest.mark.parametrize("size", [pytest.param(2000, id="at the bound"), pytest.param(1, id="below")])
def test_a_size_up_to_the_bound_passes(size: int) -> None:
    assert ImagePolicy.parse(max_size=2000).faults(facts(one(size=size)), now=NOW) == []


def test_a_size_over_the_bound_is_told_with_both_numbers() -> None:
    faults = ImagePolicy.parse(max_size="2K").faults(facts(one(size=2001), one("linux/arm64")), now=NOW)

    assert faults == ["linux/amd64 has 2001 bytes, at most 2000 are allowed"]


def test_only_the_wanted_platforms_are_weighed() -> None:
    policy = ImagePolicy.parse(platforms=["linux/amd64"], max_size=1000)

    assert policy.faults(facts(one(size=1000), one("windows/amd64", size=10**10)), now=NOW) == []


@pytest.mark.parametrize(
    ("created", "said"),
    [
        pytest.param("2026-12-16T08:00:00Z", None, id="at the bound"),
        pytest.param("2026-12-16T07:59:00Z", "30.00 days old", id="older"),
        pytest.param("2026-12-16T09:00:00.123456789+01:00", None, id="nanoseconds and a zone"),
        pytest.param("2027-01-15T08:30:00Z", None, id="a builder's clock half an hour ahead"),
        pytest.param("2028-01-01T00:00:00Z", "its age is unknown", id="from the future"),
        pytest.param("9999-12-31T23:59:59-12:00", "its age is unknown", id="after all calendars"),
        pytest.param("1970-01-01T00:00:00Z", "its age is unknown", id="a reproducible build's zero"),
        pytest.param("0001-01-01T00:00:00Z", "its age is unknown", id="Go's zero"),
        pytest.param(None, "its age is unknown", id="none"),
        pytest.param("yesterday", "its age is unknown", id="no time"),
    ],
)
def test_an_age_is_at_most_what_was_said(created: str | None, said: str | None) -> None:
    faults = ImagePolicy.parse(max_age="30d").faults(facts(one(created=created)), now=NOW)

    assert len(faults) == (said is not None)
    assert all(said is not None and said in fault for fault in faults)


def test_every_broken_rule_is_named() -> None:
    policy = ImagePolicy.parse(platforms=["linux/amd64", "linux/arm64"], max_size=1, max_age="1d")

    assert len(policy.faults(facts(one(created="2026-01-01T00:00:00Z")), now=NOW)) == 3


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        pytest.param({"platforms": ["amd64"]}, "platforms: saw 'amd64'", id="no system"),
        pytest.param({"platforms": [3]}, "platforms", id="a number"),
        pytest.param({"platforms": 3}, "platforms", id="no list"),
        pytest.param({"max_size": "big"}, "max_size", id="no size"),
        pytest.param({"max_size": 0}, "max_size: saw 0", id="no image is that small"),
        pytest.param({"max_age": "soon"}, "max_age", id="no duration"),
        pytest.param({"max_age": 0}, "max_age: saw 0", id="no image is that young"),
        pytest.param({"max_age": "-1d"}, "max_age", id="before it was built"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(rules: dict[str, Any], named: str) -> None:
    with pytest.raises(ArgumentError, match=named):
        ImagePolicy.parse(**rules)


def test_empty_text_asks_for_nothing() -> None:
    assert ImagePolicy.parse(platforms="", max_size="", max_age="") == ImagePolicy()


def test_a_time_without_a_zone_is_utc() -> None:
    assert created_at("2027-01-15T08:00:00") == NOW


@pytest.mark.parametrize(
    ("created", "said"),
    [
        pytest.param("2026-01-02T03:04:05.123456789Z", "built 2026-01-02 03:04:05 UTC)", id="too old"),
        pytest.param("2028-01-02T03:04:05.999999999Z", "created 2028-01-02 03:04:05 UTC, now", id="not yet"),
    ],
)
def test_a_time_is_told_to_the_second(created: str, said: str) -> None:
    (fault,) = ImagePolicy.parse(max_age="30d").faults(facts(one(created=created)), now=NOW)

    assert said in fault
