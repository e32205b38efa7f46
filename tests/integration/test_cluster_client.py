"""The client against real API servers: the shared cluster, and one of our own that is killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cd_provider.core.access import role
from cd_provider.exceptions import (
    ClusterConflictError,
    ClusterForbiddenError,
    ClusterGoneError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnauthorizedError,
    ClusterUnavailableError,
)
from cd_provider.hooks.cluster import ClusterHook, ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.integration.own_apiserver import OwnApiServer
from tests.stack.access import service_account

if TYPE_CHECKING:
    from tests.stack import Stack

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def opened(kubeconfig: Path | dict[str, Any]) -> ClusterClient:
    given = (
        {"kube_config_path": str(kubeconfig)} if isinstance(kubeconfig, Path) else {"kube_config": kubeconfig}
    )
    login = ClusterLogin(**given)
    return ClusterClient(lambda: load(login, conn_id="k8s"))


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator[ClusterClient]:
    async with opened(stack.kubeconfig) as client:
        yield client


@pytest.fixture
def kubeconfig(stack: Stack, namespace: str) -> Path:
    """A kubeconfig with exactly the documented role in the test's namespace."""
    return service_account(stack, namespace, "cd", role_yaml_rules=role(namespace)["rules"])


@pytest.fixture(scope="module")
def own(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnApiServer]:
    server = OwnApiServer(tmp_path_factory.mktemp("apiserver"))
    try:
        yield server
    finally:
        server.close()


def maps(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps{'/' if name else ''}{name}"


async def whoami(client: ClusterClient) -> dict[str, Any]:
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await client.create(WHOAMI, asked)
    found: dict[str, Any] = answer["status"]["userInfo"]
    return found


async def test_an_object_goes_through_its_whole_life(admin: ClusterClient, namespace: str) -> None:
    a_map = {"apiVersion": "v1", "kind": "ConfigMap"}
    made = await admin.create(maps(namespace), {**a_map, "metadata": {"name": "a"}, "data": {"x": "1"}})
    await admin.patch(maps(namespace, "a"), {**a_map, "data": {"y": "2"}}, how="apply")
    await admin.patch(maps(namespace, "a"), {"data": {"x": None}}, how="merge")
    found = await admin.get(maps(namespace, "a"))
    with pytest.raises(ClusterConflictError, match="409 Conflict"):
        await admin.replace(maps(namespace, "a"), {**made, "data": {}})
    await admin.delete(maps(namespace, "a"), {"preconditions": {"uid": made["metadata"]["uid"]}})

    assert found["data"] == {"y": "2"}
    assert {entry["manager"] for entry in found["metadata"]["managedFields"]} == {"cd-provider"}
    with pytest.raises(
        ClusterNotFoundError, match=f"get configmaps/a in namespace {namespace}: .* 404 NotFound"
    ):
        await admin.get(maps(namespace, "a"))


async def test_a_json_patch_whose_test_fails_is_a_conflict_and_changes_nothing(
    admin: ClusterClient, namespace: str
) -> None:
    await admin.create(maps(namespace), {"metadata": {"name": "a"}, "data": {"x": "1"}})
    change = {"op": "replace", "path": "/data/x", "value": "3"}

    for test in ({"path": "/data/x", "value": "2"}, {"path": "/data/gone", "value": "1"}):
        with pytest.raises(ClusterConflictError):
            await admin.patch(maps(namespace, "a"), [{"op": "test", **test}, change])
    passed = {"op": "test", "path": "/data/x", "value": "1"}
    for value in ({"no": "text"}, 5):
        with pytest.raises(ClusterRefusedError, match="422 Invalid"):
            await admin.patch(maps(namespace, "a"), [passed, {**change, "value": value}])

    assert (await admin.get(maps(namespace, "a")))["data"] == {"x": "1"}
    assert (await admin.patch(maps(namespace, "a"), [passed, change]))["data"] == {"x": "3"}


async def test_what_rbac_refuses_is_named_as_verb_resource_and_namespace(
    namespace: str, kubeconfig: Path
) -> None:
    async with opened(kubeconfig) as client:
        with pytest.raises(ClusterForbiddenError) as caught:
            await client.get(f"/api/v1/namespaces/{namespace}/secrets/key")

    assert str(caught.value).startswith(
        f'get secrets/key in namespace {namespace}: the API server answered 403 Forbidden: secrets "key" is '
        f'forbidden: User "system:serviceaccount:{namespace}:cd" cannot get resource "secrets"'
    )


async def test_a_kubeconfig_that_was_refreshed_meanwhile_is_read_again(
    stack: Stack, namespace: str, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"kube_config_path": str(kubeconfig)}
    monkeypatch.setenv("AIRFLOW_CONN_K8S", json.dumps({"conn_type": "kubernetes", "extra": extra}))

    async with ClusterHook("k8s").client() as client:
        stack.kubectl("delete", "serviceaccount", "cd", "-n", namespace)  # its tokens end with it
        service_account(stack, namespace, "cd", role_yaml_rules=role(namespace)["rules"])  # writes a new file
        seen = await whoami(client)

    account = json.loads(stack.kubectl("get", "serviceaccount", "cd", "-n", namespace, "-o", "json"))
    assert seen["uid"] == account["metadata"]["uid"]


async def test_a_token_that_ended_in_mid_use_says_so_and_is_not_shown(
    stack: Stack, namespace: str, kubeconfig: Path
) -> None:
    token = token_of(kubeconfig)

    async with opened(kubeconfig) as client, asyncio.timeout(60):
        await whoami(client)
        stack.kubectl("delete", "serviceaccount", "cd", "-n", namespace)
        with pytest.raises(ClusterUnauthorizedError, match="401 Unauthorized") as caught:
            await ask_for_ever(client)

    assert token not in str(caught.value)


def token_of(kubeconfig: Path) -> str:
    token: str = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"]
    return token


async def ask_for_ever(client: ClusterClient) -> None:
    """Ask until it fails: for some seconds the API server believes a token that it has seen before."""
    while True:
        await whoami(client)
        await asyncio.sleep(0.2)


async def test_a_watch_goes_on_from_a_list_and_tells_changes(admin: ClusterClient, namespace: str) -> None:
    listed = await admin.get(maps(namespace))
    await admin.create(maps(namespace), {"metadata": {"name": "a"}, "data": {"x": "1"}})
    await admin.delete(maps(namespace, "a"))
    query = {"resourceVersion": listed["metadata"]["resourceVersion"], "fieldSelector": "metadata.name=a"}

    async with aclosing(admin.watch(maps(namespace), **query)) as events, asyncio.timeout(30):
        seen = [(await anext(events))[0] for _ in range(2)]

    assert seen == ["ADDED", "DELETED"]


async def test_a_quiet_watch_ends_by_itself_and_leaves_its_position(
    admin: ClusterClient, namespace: str
) -> None:
    listed = await admin.get(maps(namespace))
    query = {"resourceVersion": listed["metadata"]["resourceVersion"], "fieldSelector": "metadata.name=none"}

    async with asyncio.timeout(60):
        events = [event async for event in admin.watch(maps(namespace), timeoutSeconds=3, **query)]

    assert {kind for kind, _ in events} <= {"BOOKMARK"}


async def test_a_restarted_api_server_is_survived_by_reads_and_noticed_by_watches(own: OwnApiServer) -> None:
    async with opened(own.kubeconfig()) as client, asyncio.timeout(150):
        await asyncio.gather(*(client.get("/api/v1/namespaces/default") for _ in range(5)))
        listed = await client.get(maps("default"))
        async with aclosing(
            client.watch(maps("default"), resourceVersion=listed["metadata"]["resourceVersion"])
        ) as events:
            waiting = asyncio.ensure_future(anext(events))
            await client.create(maps("default"), {"metadata": {"name": "a"}})
            await waiting
            following = asyncio.ensure_future(anext(events))
            await asyncio.to_thread(own.kill)
            with pytest.raises(ClusterUnavailableError, match="watch configmaps in namespace default"):
                await following
        with pytest.raises(ClusterUnavailableError, match="Cannot connect to host"):
            await client.get("/api/v1/namespaces/default")
        await asyncio.to_thread(own.start)

        found = await asyncio.gather(*(client.get("/api/v1/namespaces/default") for _ in range(5)))
        with pytest.raises(ClusterGoneError, match="too old resource version"):
            await anext(client.watch(maps("default"), resourceVersion="1"))
        await client.delete(maps("default", "a"))

    assert {one["metadata"]["name"] for one in found} == {"default"}
