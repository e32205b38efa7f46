"""One watch for all canaries of a namespace, and what it does on bad days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from cd_provider.adapters import pod_watch as module
from cd_provider.adapters.pod_watch import PodWatch, Timing, shared_watch
from cd_provider.adapters.pods import WatchedPods, open_pods
from cd_provider.core.names import BASELINE, CANDIDATE, SIDE
from cd_provider.core.template import candidate_selector
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import (
    ClusterForbiddenError,
    ClusterGoneError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnavailableError,
)

REF = WorkloadRef("deployment", "shop", "shop")
STABLE = {"app": "shop"}
THEIRS = candidate_selector(STABLE)
QUICK = Timing(watch_s=1, resync_s=60, deaf_s=5, backoff_s=(0.0,))
PATH = "/api/v1/namespaces/shop/pods"


class FakeApi:
    """The pods of an API server, and how often it was asked; also the hook and the client that lead there."""

    kubernetes_conn_id = "k8s"

    def __init__(self) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.version = 0
        self.open_clients = self.open_watches = self.clients = 0
        self.lists: list[str] = []
        self.watches: list[Mapping[str, Any]] = []
        self.queues: list[asyncio.Queue[Any]] = []
        self.faults: list[Exception] = []
        self.logs: dict[tuple[str, bool], str | Exception] = {}

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        self.open_clients += 1
        self.clients += 1
        try:
            yield self
        finally:
            self.open_clients -= 1

    async def get(self, path: str) -> dict[str, Any]:
        self.lists.append(path)
        if self.faults:
            raise self.faults.pop(0)
        return {"items": list(self.pods.values()), "metadata": {"resourceVersion": str(self.version)}}

    async def watch(self, path: str, **query: Any) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        self.watches.append({"path": path, **query})
        self.open_watches += 1
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.queues.append(queue)
        try:
            while (event := await queue.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.open_watches -= 1

    async def text(self, path: str, *, previous: str = "", **_: Any) -> str:
        found = self.logs.get((path, previous == "true"), ClusterNotFoundError("no log"))
        if isinstance(found, Exception):
            raise found
        return found

    def say(self, event: Any) -> None:
        """Send an event to every watch; None ends it, an error breaks it."""
        queues, self.queues = (
            self.queues,
            [] if event is None or isinstance(event, Exception) else self.queues,
        )
        for queue in queues:
            queue.put_nowait(event)

    def put(
        self, name: str, labels: Mapping[str, str] = STABLE, *, silent: bool = False, **status: Any
    ) -> None:
        self.version += 1
        meta = {"name": name, "labels": dict(labels), "resourceVersion": str(self.version)}
        kind = "MODIFIED" if name in self.pods else "ADDED"
        self.pods[name] = {"metadata": meta, "spec": {}, "status": status}
        if not silent:
            self.say((kind, self.pods[name]))

    def drop(self, name: str) -> None:
        self.say(("DELETED", self.pods.pop(name)))


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def names(pods: WatchedPods) -> list[str]:
    await settle()
    return [one.name for one in await pods.states()]


@asynccontextmanager
async def opened(api: Any, ref: WorkloadRef = REF) -> AsyncIterator[WatchedPods]:
    async with open_pods(api, ref, container="shop", selector=STABLE) as pods:
        await pods.states()
        yield pods


@asynccontextmanager
async def watching(api: FakeApi, **options: Any) -> AsyncIterator[tuple[PodWatch, WatchedPods]]:
    """Run one watch that nobody shares, with quick timing."""
    watch = PodWatch(api.client, "shop", timing=QUICK, **options)
    pods = WatchedPods(watch, container="shop", stable_selector=STABLE, candidate_selector=THEIRS)
    watch.listeners.add(pods.listen)
    task = asyncio.create_task(watch.run())
    try:
        yield watch, pods
    finally:
        task.cancel()
        await asyncio.wait([task])


# --- sharing -----------------------------------------------------------------------------------------------


async def test_fifty_canaries_are_one_list_one_watch_and_one_client(api: FakeApi) -> None:
    async with AsyncExitStack() as stack:
        every = [await stack.enter_async_context(opened(api)) for _ in range(50)]
        api.put("a")
        await settle()

        assert [await names(one) for one in every] == [["a"]] * 50
        assert (len(api.lists), len(api.watches), api.clients) == (1, 1, 1)

    assert (api.open_watches, api.open_clients) == (0, 0)
    assert not module._WATCHES[asyncio.get_running_loop()]


async def test_the_watch_lives_until_its_last_user_goes(api: FakeApi) -> None:
    async with opened(api) as last:
        async with opened(api):
            pass
        api.put("a")

        assert await names(last) == ["a"]
    async with opened(api) as again:
        assert await names(again) == ["a"]
    assert (api.clients, api.open_clients) == (2, 0)


async def test_other_namespaces_and_connections_have_their_own(api: FakeApi) -> None:
    other = FakeApi()
    other.kubernetes_conn_id = "other"
    elsewhere = WorkloadRef("deployment", "else", "shop")

    async with opened(api), opened(api, elsewhere), opened(other):
        assert api.lists == [PATH, "/api/v1/namespaces/else/pods"]
        assert other.lists == [PATH]


async def test_a_user_that_is_cancelled_leaves_no_watch_behind(api: FakeApi) -> None:
    async def use() -> None:
        async with opened(api) as pods:
            await pods.wait(60)

    task = asyncio.create_task(use())
    await settle()
    task.cancel()
    await asyncio.wait([task])

    assert (api.open_watches, api.open_clients) == (0, 0)


def test_each_event_loop_has_its_own_watch(api: FakeApi) -> None:
    async def use() -> list[str]:
        async with opened(api) as pods:
            return await names(pods)

    api.put("a")

    assert [asyncio.run(use()), asyncio.run(use())] == [["a"], ["a"]]
    assert api.clients == 2


# --- what is seen ------------------------------------------------------------------------------------------


async def test_both_sides_are_seen_and_nobody_else(api: FakeApi) -> None:
    api.put("stable-1")
    async with opened(api) as pods:
        api.put("candidate-1", THEIRS)
        api.put("other", {"app": "other"})
        api.put("foreign-candidate", {"app": "other-candidate", SIDE: CANDIDATE})
        await settle()

        states = await pods.states()

    assert [(one.name, one.side) for one in states] == [("candidate-1", CANDIDATE), ("stable-1", None)]


async def test_a_selector_without_labels_chooses_nobody(api: FakeApi) -> None:
    api.put("a", {})
    async with open_pods(api, REF, container="shop", selector={}) as pods:  # type: ignore[arg-type]
        assert await pods.states() == []


async def test_wait_ends_at_a_change_of_ours_and_at_no_other(api: FakeApi) -> None:
    async with opened(api) as pods:
        changes: list[Callable[[], None]] = [
            lambda: api.put("a"),
            lambda: api.put("a", phase="Failed"),
            lambda: api.drop("a"),
            lambda: api.put("c", THEIRS),
        ]
        for change in changes:
            waiting = asyncio.create_task(pods.wait(60))
            api.put("other", {"app": "other"})
            await settle()
            assert not waiting.done()

            change()
            await settle()
            assert waiting.done()

        assert await names(pods) == ["c"]


async def test_a_change_between_two_waits_is_not_missed(api: FakeApi) -> None:
    async with opened(api) as pods:
        api.put("a")
        await settle()

        await asyncio.wait_for(pods.wait(60), 30)


async def test_wait_ends_when_nothing_happens(api: FakeApi) -> None:
    async with opened(api) as pods, asyncio.timeout(30):
        await pods.wait(0.01)


# --- bad days ----------------------------------------------------------------------------------------------


async def test_a_watch_goes_on_where_the_last_one_ended(api: FakeApi) -> None:
    async with watching(api):
        await settle()
        api.version = 7
        api.say(("BOOKMARK", {"metadata": {"resourceVersion": "7"}}))
        await settle()
        api.say(None)
        await settle()
        api.put("a", silent=True)

        assert len(api.lists) == 1
        assert [one["resourceVersion"] for one in api.watches] == ["0", "7"]
        assert {one["timeoutSeconds"] for one in api.watches} == {QUICK.watch_s}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ClusterGoneError("410"), id="the position is too old"),
        pytest.param(ClusterUnavailableError("reset"), id="the connection broke"),
        pytest.param(RuntimeError("a bug"), id="something unforeseen"),
    ],
)
async def test_after_a_break_what_was_missed_is_listed(api: FakeApi, error: Exception) -> None:
    api.put("gone")
    api.put("same")
    async with watching(api) as (_, pods):
        assert await names(pods) == ["gone", "same"]
        del api.pods["gone"]
        api.put("missed", silent=True)

        waiting = asyncio.create_task(pods.wait(60))
        api.say(error)
        await settle()

        assert waiting.done()
        assert await names(pods) == ["missed", "same"]
        assert api.open_clients == api.open_watches == 1


async def test_a_new_list_that_says_nothing_new_wakes_nobody(api: FakeApi) -> None:
    api.put("a")
    async with watching(api) as (_, pods):
        await names(pods)
        await pods.wait(0)  # the first list
        waiting = asyncio.create_task(pods.wait(60))
        api.say(ClusterGoneError("410"))
        await settle()

        assert len(api.lists) == 2
        assert not waiting.done()
        waiting.cancel()


async def test_a_list_is_not_trusted_for_ever(api: FakeApi) -> None:
    now = 0.0
    async with watching(api, clock=lambda: now) as (_, pods):
        await settle()
        api.put("missed", silent=True)
        now += QUICK.resync_s + 1
        api.say(None)

        assert await names(pods) == ["missed"]
        assert api.clients == 1


async def test_a_watch_that_is_deaf_for_too_long_says_so_and_recovers(api: FakeApi) -> None:
    now = 0.0
    async with watching(api, clock=lambda: now) as (watch, pods):
        api.put("a")
        assert await names(pods) == ["a"]
        now += QUICK.deaf_s
        assert await names(pods) == ["a"]

        now += 1
        with pytest.raises(ClusterUnavailableError, match="heard nothing for 6 s"):
            await pods.states()
        api.say(("BOOKMARK", {"metadata": {"resourceVersion": "1"}}))

        assert await names(pods) == ["a"]
        assert watch.deaf_since is None


async def test_deafness_counts_from_the_last_word(api: FakeApi) -> None:
    now = 100.0
    async with watching(api, clock=lambda: now) as (watch, _):
        await settle()
        now = 103.0
        api.faults = [ClusterUnavailableError("down")] * 3
        api.say(ClusterUnavailableError("reset"))
        for _ in range(50):
            if not api.faults:
                break
            assert watch.deaf_since in (None, 100.0)
            await asyncio.sleep(0)
        await settle()

        assert watch.deaf_since is None
        assert watch.heard_at == 103.0


async def test_who_may_not_list_pods_is_told_at_once(api: FakeApi) -> None:
    api.faults = [ClusterForbiddenError("list pods in shop")]
    watch = PodWatch(api.client, "shop", timing=Timing(backoff_s=(60.0,)))
    pods = WatchedPods(watch, container="shop", stable_selector=STABLE, candidate_selector=THEIRS)
    task = asyncio.create_task(watch.run())

    with pytest.raises(ClusterForbiddenError, match="list pods in shop"):
        await asyncio.wait_for(pods.states(), 30)

    task.cancel()
    await asyncio.wait([task])


async def test_a_server_that_never_answers_is_not_waited_for_for_ever(api: FakeApi) -> None:
    api.faults = [ClusterUnavailableError("down")]
    watch = PodWatch(api.client, "shop", timing=Timing(deaf_s=0.01, backoff_s=(60.0,)))
    pods = WatchedPods(watch, container="shop", stable_selector=STABLE, candidate_selector=THEIRS)
    task = asyncio.create_task(watch.run())

    with pytest.raises(ClusterUnavailableError, match="no list within"):
        await pods.states()

    task.cancel()
    await asyncio.wait([task])


# --- logs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restarts", "before", "now", "expected"),
    [
        pytest.param(0, "", "fine\n", "fine\n", id="never restarted"),
        pytest.param(1, "boom\n", "starting\n", "boom\n", id="the run that crashed"),
        pytest.param(1, "", "starting\n", "starting\n", id="the crash said nothing"),
        pytest.param(1, ClusterRefusedError("not found"), "starting\n", "starting\n", id="its log is gone"),
        pytest.param(0, "", ClusterRefusedError("waiting to start"), "", id="not started yet"),
        pytest.param(1, ClusterNotFoundError("no pod"), ClusterNotFoundError("no pod"), "", id="no such pod"),
    ],
)
async def test_the_last_lines_are_those_of_the_run_that_crashed(
    api: FakeApi, restarts: int, before: str | Exception, now: str | Exception, expected: str
) -> None:
    api.put("a", containerStatuses=[{"name": "shop", "restartCount": restarts}])
    api.logs = {(f"{PATH}/a/log", True): before, (f"{PATH}/a/log", False): now}

    async with opened(api) as pods:
        assert await pods.last_lines("a") == expected


async def test_logs_cannot_be_had_while_there_is_no_connection(api: FakeApi) -> None:
    async with shared_watch(api.client, "k8s", "shop") as watch:
        pods = WatchedPods(watch, container="shop", stable_selector=STABLE, candidate_selector=THEIRS)

        with pytest.raises(ClusterUnavailableError, match="not connected"):
            await pods.last_lines("a")


# --- a baseline --------------------------------------------------------------------------------------------


async def test_a_baselines_pods_are_seen_as_its_own_and_another_workloads_are_not(api: FakeApi) -> None:
    api.put("stable")
    api.put("candidate", THEIRS)
    api.put("baseline", candidate_selector(STABLE, BASELINE))
    api.put("other", candidate_selector({"app": "front"}, BASELINE))

    async with opened(api) as pods:
        seen = {one.name: one.side for one in await pods.states()}

    assert seen == {"stable": None, "candidate": CANDIDATE, "baseline": BASELINE}
