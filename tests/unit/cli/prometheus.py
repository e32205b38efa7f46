"""A Prometheus of a few lines, behind a real socket: it keeps samples, and answers what the command line asks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cd_provider.core.judge.draws import Draws
from tests.loopback import Answer, Request

NOW = 1_800_000_000.0
SCRAPE_S = 10.0
EDGES = {
    "0.05": 0.4,
    "0.1": 0.8,
    "0.25": 0.97,
    "1.0": 0.999,
    "+Inf": 1.0,
}  # bucket → share of the requests up to it
Counter = tuple[Mapping[str, str], list[tuple[float, float]]]
_QUERY = re.compile(r"(count by \((\w+)\) \(count_over_time\()?(\w*)\{(.*)\}\[(\d+)s\]\)*")
_MATCHER = re.compile(r'(\w+)(=~|=)"((?:[^"\\]|\\.)*)"')


@dataclass
class Prometheus:
    """
    Answers instant queries over samples.

    :param series: (labels, samples). :param fault: gives an answer of its own to some requests.
    """

    series: list[Counter] = field(default_factory=list)
    now: float = NOW
    fault: Callable[[Request], Answer | None] = lambda request: None
    asked: list[Mapping[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request.form)
        if (wrong := self.fault(request)) is not None:
            return wrong
        query, at = request.form["query"], float(request.form.get("time", self.now))
        if query == "time()":
            return success("scalar", [self.now, str(self.now)])
        found = _QUERY.fullmatch(query)
        assert found, query
        chosen = list(self._chosen(found[3], found[4], at - float(found[5]), at))
        if found[1]:
            pods = sorted({labels[found[2]] for labels, _ in chosen})
            return success("vector", [{"metric": {found[2]: pod}, "value": [at, "1"]} for pod in pods])
        return success("matrix", [{"metric": labels, "values": values} for labels, values in chosen])

    def _chosen(
        self, name: str, matchers: str, since: float, until: float
    ) -> Iterable[tuple[Mapping[str, str], list[list[Any]]]]:
        wanted = [(key, sign, json.loads(f'"{text}"')) for key, sign, text in _MATCHER.findall(matchers)]
        wanted += [("__name__", "=", name)] if name else []
        for labels, samples in self.series:
            if (
                samples[0][0] <= until
                and samples[-1][0] >= since
                and all(
                    re.fullmatch(text if sign == "=~" else re.escape(text), labels.get(key, ""))
                    for key, sign, text in wanted
                )
            ):
                values = [[at, str(value)] for at, value in samples if since <= at <= until]
                if values:
                    yield labels, values


def success(kind: str, result: Any) -> Answer:
    return Answer(json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode())


def error(status: int, text: str, kind: str = "execution") -> Answer:
    return Answer(json.dumps({"status": "error", "errorType": kind, "error": text}).encode(), status=status)


def pod(
    name: str,
    *,
    since: float,
    until: float,
    per_second: float,
    errors: float = 0.0,
    base: float = 1e6,
    namespace: str = "web",
    seed: str = "",
) -> list[Counter]:
    """
    Make the counters of one pod of the demo: requests and errors as chance has them, scraped at an offset of its own.

    :param base: what its counters stood at before.
    """
    draws = Draws(f"{seed}{name}")
    offset = draws.random.random() * SCRAPE_S
    upto, failed = dict.fromkeys(EDGES, base), 0.0
    stamps: list[float] = []
    good, bad, buckets = list[float](), list[float](), {edge: list[float]() for edge in EDGES}
    for tick in range(int((until - since) / SCRAPE_S)):
        done, below = 0.0, 0.0
        for edge, share in EDGES.items():
            done += draws.poisson(per_second * SCRAPE_S * (share - below))
            below = share
            upto[edge] += done
            buckets[edge].append(upto[edge])
        failed += min(done, draws.poisson(done * errors))
        good.append(upto["+Inf"] - failed)
        bad.append(failed)
        stamps.append(since + offset + tick * SCRAPE_S)

    def series(metric: str, values: list[float], **more: str) -> Counter:
        labels = {"namespace": namespace, "pod": name, "job": "pods", "instance": f"{name}:80", **more}
        return {"__name__": metric, **labels}, list(zip(stamps, values, strict=True))

    return [
        series("shop_requests_total", good, code="200"),
        series("shop_requests_total", bad, code="500"),
        *(
            series("shop_request_duration_seconds_bucket", values, le=edge)
            for edge, values in buckets.items()
        ),
    ]
