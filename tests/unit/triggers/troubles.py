"""What befalls a Prometheus in the middle of a canary, what a judge says of each, and how it ends."""

from __future__ import annotations

from collections.abc import Callable

from cd_provider.hooks.prometheus_query import MIB
from tests.loopback import Answer
from tests.unit.triggers.bad_days import BEGAN, CANDIDATE, STABLE, Canary

FALSE = b'{"status":"error","errorType":"execution","error":"shard 3 is lost"}'
OUT_S = 30.0  # when the trouble begins, in seconds since the first user; what was seen until then is 0 s old


def answers(fault: Answer) -> Callable[[Canary], None]:
    return lambda it: setattr(it.server, "fault", fault)


def nan(_: float, __: str) -> str:
    return "NaN"


def gauge(at: float, code: str) -> str | None:
    return f"{500 + 7 * (int(at / 5) % 3)}" if code == "200" else None


def pause(it: Canary) -> None:
    it.source.server.timeout_s = 0.2  # five seconds as a rule; nobody answers, however long one waits
    it.relay.hang()


TROUBLES: dict[str, tuple[Callable[[Canary], None], str]] = {
    "killed": (lambda it: it.relay.cut(), "no answer"),
    "paused": (pause, "no answer within 0.2 s"),
    "answers with 500": (answers(Answer(b"oops", 500)), "no result, status 500"),
    "answers 200 with an error": (answers(Answer(FALSE)), "no result, status 200: shard 3 is lost"),
    "warns": (
        lambda it: it.server.more.update(warnings=["store s3 is down"]),
        'partial: ["store s3 is down"]',
    ),
    "answers with 100 MB": (
        answers(Answer(bytes(100 * MIB))),
        "larger than 16 MiB, expected less; add matchers",
    ),
    "answers with NaN": (
        lambda it: setattr(it.server, "says", dict.fromkeys((*CANDIDATE, *STABLE), nan)),
        "no new samples that are numbers",
    ),
    "says NaN of the candidate": (
        lambda it: setattr(it.server, "says", dict.fromkeys(CANDIDATE, nan)),
        "the candidate's counters stand still while stable's go on",
    ),
    "refuses the credentials": (answers(Answer(b"", 401)), "it refuses the credentials (status 401)"),
    "knows no such query": (answers(Answer(b"", 404)), "status 404, expected a query's result"),
    "says html": (answers(Answer(b"<html>sign in</html>")), "no result, status 200"),
    "has nothing any more": (
        lambda it: setattr(it.server, "lost_before", BEGAN + 1e6),
        "candidate shop-candidate: no shop_requests_total. Asked: Prometheus: {",
    ),
}


def mend(it: Canary) -> None:
    """End every trouble; samples of the time between are there, but those that a server lost."""
    it.relay.mend()
    it.source.server.timeout_s = 5.0
    it.server.fault, it.server.says = None, {}
    it.server.more.clear()
    if it.server.lost_before > it.server.now:
        it.server.lost_before = it.server.now - 5.0
