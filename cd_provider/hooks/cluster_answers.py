"""What the API server's answers mean: from status codes and ``Status`` objects to our errors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cd_provider.exceptions import (
    CdProviderError,
    ClusterConflictError,
    ClusterForbiddenError,
    ClusterGoneError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnauthorizedError,
    ClusterUnavailableError,
)

_LONGEST = 600  # characters of the server's own words that a message repeats
_ERRORS: Mapping[int, type[CdProviderError]] = {
    401: ClusterUnauthorizedError,
    403: ClusterForbiddenError,
    404: ClusterNotFoundError,
    409: ClusterConflictError,
    410: ClusterGoneError,
    429: ClusterUnavailableError,
}
_HINTS: Mapping[type[CdProviderError], str] = {
    ClusterUnauthorizedError: "The credentials were read again, and are refused still: renew them.",
    ClusterForbiddenError: "Grant that verb to the connection's account; the docs list the whole role.",
    ClusterConflictError: "Somebody else changed it meanwhile: read it again.",
    ClusterGoneError: "That position is too old: list again and watch from there.",
    ClusterUnavailableError: "Try again.",
}


def answer_error(what: str, *, status: int, text: str, tested: bool = False) -> CdProviderError:
    """
    Turn an answer that is no success into the error to raise.

    :param what: what was asked for, as :func:`asked` words it.
    :param text: the answer's body; a ``Status`` object as a rule, a proxy's page sometimes.
    :param tested: the request was a JSON patch with a ``test`` operation. The API server answers a test that
        fails with 422 and not one cause, an invalid object with 422 and its causes.
    """
    said = _status_of(text)
    message = " ".join(str(said.get("message") or text or "").split())[:_LONGEST]
    kind = _ERRORS.get(status, ClusterUnavailableError if status >= 500 else ClusterRefusedError)
    if status == 422 and tested and not (said.get("details") or {}).get("causes"):
        kind = ClusterConflictError
    reason = f" {said['reason']}" if said.get("reason") else ""
    hint = f" {_HINTS[kind]}" if kind in _HINTS else ""
    return kind(f"{what}: the API server answered {status}{reason}: {message or 'nothing more'}.{hint}")


def asked(verb: str, path: str) -> str:
    """
    Word a request as RBAC would: ``patch httproutes.gateway.networking.k8s.io/shop in namespace shop``.

    :param path: such as ``/apis/apps/v1/namespaces/shop/deployments/shop``; others are repeated as they are.
    """
    group, rest = _split(path)
    if group is None or not rest:
        return f"{verb} {path}"
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = f" in namespace {rest[1]}", rest[2:]
    resource = f"{rest[0]}.{group}" if group else rest[0]
    return f"{verb} {'/'.join([resource, *rest[1:]])}{namespace}"


def verb_of(method: str, path: str) -> str:
    """Give the RBAC verb of a request: reading a collection is ``list``, the rest follows the HTTP method."""
    if method != "GET":
        return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[method]
    group, rest = _split(path)
    collection = len(rest) == 3 if rest[:1] == ["namespaces"] and len(rest) > 2 else len(rest) == 1
    return "list" if group is not None and collection else "get"


def has_test(body: Any) -> bool:
    """Tell whether a JSON patch tests what it is about to change."""
    operations: Sequence[Any] = body if isinstance(body, list) else ()
    return any(isinstance(operation, dict) and operation.get("op") == "test" for operation in operations)


def _split(path: str) -> tuple[str | None, list[str]]:
    """API group ("" for the core one, None for a path of another form) and what follows the version."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        return "", parts[2:]
    if parts[0] == "apis" and len(parts) > 3:
        return parts[1], parts[3:]
    return None, []


def _status_of(text: str) -> Mapping[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
