"""A registry on the loopback that serves what it holds, and goes wrong where a test says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests.loopback import Answer, Loopback, Request
from tests.stack.oci_push import Made, digest

_ROUTE = re.compile(r"/v2/(?P<path>.+)/(?P<kind>manifests|blobs|tags)/(?P<name>[^/]+)")

Fault = Callable[[Request], Answer | None]


class RegistryDouble(Loopback):
    """
    Speak the distribution protocol; ``faults`` are asked first, the first answer of one wins.

    ``page`` is how many tags one page holds.
    """

    def __init__(self, *faults: Fault, certificate: Path | None = None, page: int = 1000) -> None:
        super().__init__(self._serve, certificate=certificate)
        self.faults, self.page = list(faults), page
        self.manifests: dict[tuple[str, str], Made] = {}
        self.blobs: dict[str, bytes] = {}

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def hold(self, path: str, tag: str, made: Made) -> str:
        """Serve ``made`` under a tag and its digest; give ``host/path:tag``."""
        self.manifests |= {(path, tag): made, (path, made.digest): made}
        self.blobs |= {digest(blob): blob for blob in made.blobs}
        for child in made.children:
            self.hold(path, child.digest, child)
        return f"{self.host}/{path}:{tag}"

    def asked(self, part: str) -> list[Request]:
        """Give the requests whose path has ``part`` in it."""
        return [request for request in self.requests if part in request.path]

    def _serve(self, request: Request) -> Answer:
        for fault in self.faults:
            if (answer := fault(request)) is not None:
                return answer
        url = urlsplit(unquote(request.path))
        route = _ROUTE.fullmatch(url.path)
        if route is None:
            return Answer(b"{}")
        if route["kind"] == "tags":
            return self._tags(route["path"], url.path, parse_qs(url.query).get("last", [""])[0])
        if route["kind"] == "blobs":
            return Answer(self.blobs[route["name"]])
        return self._manifest(route["path"], route["name"])

    def _manifest(self, path: str, name: str) -> Answer:
        made = self.manifests.get((path, name))
        if made is None:
            return error(404, "MANIFEST_UNKNOWN")
        return Answer(
            made.body, headers={"Content-Type": made.media_type, "Docker-Content-Digest": made.digest}
        )

    def _tags(self, path: str, where: str, last: str) -> Answer:
        names = sorted(name for held, name in self.manifests if held == path and ":" not in name)
        rest = [name for name in names if name > last]
        body = json.dumps({"name": path, "tags": rest[: self.page]}).encode()
        if len(rest) <= self.page:
            return Answer(body)
        link = f'<{where}?n={self.page}&last={rest[self.page - 1]}>; rel="next"'
        return Answer(body, headers={"Link": link})


def error(status: int, code: str, **headers: str) -> Answer:
    """Answer as registries tell errors; ``Retry_After="3"`` becomes a header."""
    body = json.dumps({"errors": [{"code": code, "message": "as it is"}]}).encode()
    return Answer(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


def on(part: str, answer: Answer) -> Fault:
    """Go wrong in this way wherever a path has ``part`` in it."""
    return lambda request: answer if part in unquote(request.path) else None


def first(count: int, fault: Fault) -> Fault:
    """Go wrong only the first ``count`` times."""
    left = [count]

    def once(request: Request) -> Answer | None:
        answer = fault(request) if left[0] else None
        left[0] -= answer is not None
        return answer

    return once
