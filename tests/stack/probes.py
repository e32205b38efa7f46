"""Ask a part of the stack whether it serves."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.stack import settings
from tests.stack.errors import NotReadyError

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback goes through no proxy


def http_ok(url: str, *, timeout_s: float = 2) -> None:
    """Raise ``NotReadyError`` unless ``url`` answers 200; no certificate is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=timeout_s):
            return
    except (OSError, http.client.HTTPException) as err:
        raise NotReadyError(f"{url}: {err}") from err


def unix_listens(path: Path) -> None:
    """Raise ``NotReadyError`` unless somebody accepts connections on a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError as err:
            raise NotReadyError(f"{path}: {err}") from err


def unix_http_ok(socket_path: Path, path: str) -> None:
    """Raise ``NotReadyError`` unless an HTTP server on a unix socket answers 200."""
    connection = http.client.HTTPConnection("localhost", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(5)
        connection.sock.connect(str(socket_path))
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as err:
        raise NotReadyError(f"{socket_path}: {err}") from err
    finally:
        connection.close()
    if status != 200:
        raise NotReadyError(f"{socket_path}{path} answered {status}")


def get(url: str, *, host: str | None = None, timeout_s: float = 5) -> tuple[int, bytes]:
    """Fetch ``url``, with another Host header if given; status and body, whatever the status is."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with _OPENER.open(request, timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as err:
        return err.code, err.read()
    except (OSError, http.client.HTTPException) as err:
        raise NotReadyError(f"{url}: {err}") from err


def kubernetes(path: str, *, user: str = "admin") -> Any:
    """GET ``path`` of the API server as one of the stack's own users; the parsed JSON."""
    try:
        with open_kubernetes(path, user=user) as answer:
            return json.load(answer)
    except (OSError, http.client.HTTPException, ValueError) as err:
        raise NotReadyError(f"{settings.APISERVER_URL}{path}: {err}") from err


def open_kubernetes(path: str, *, user: str = "admin", timeout_s: float = 5) -> http.client.HTTPResponse:
    """Open ``path`` of the API server; the caller reads the response (a watch line by line) and closes it."""
    tls = settings.state_dir() / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls / "ca.pem")
    context.load_cert_chain(tls / f"{user}.pem", tls / f"{user}.key")
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    answer = opener.open(settings.APISERVER_URL + path, timeout=timeout_s)
    assert isinstance(answer, http.client.HTTPResponse)
    return answer
