"""
A stand-in for Slack that speaks its Web API over HTTP on the loopback, and can misbehave on request.

In a test: ``with SlackDouble() as slack: WebClient(token=slack.token, base_url=slack.url)``.
As a process: ``python -m tests.stack.slack_double --port 8070``, which ``SlackControl`` looks at and tells
what to do.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.stack.slack_control import OTHER_TOKEN, TOKEN, SlackControl
from tests.stack.slack_workspace import SlackRefusal, SlackWorkspace

FAULTS = ("rate_limited", "hang", "http_500", "error", "drop", "lost_answer")
TEXT_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "")

Json = dict[str, Any]


class SlackDouble(SlackControl):
    """
    The double itself, in a thread of this process.

    :param channels: see ``SlackWorkspace``; ``releases`` and ``general`` when None.
    """

    def __init__(self, *, port: int = 0, channels: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        tokens = {TOKEN: "U0RELEASE", OTHER_TOKEN: "U0OTHER"}
        self.workspace = SlackWorkspace(tokens=tokens, channels=channels or {"releases": {}, "general": {}})
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.start_with(self.workspace)
        super().__init__(f"http://127.0.0.1:{self._server.server_address[1]}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self.serve, name="slack-double", daemon=True).start()

    def serve(self) -> None:
        """Serve here until ``stop``."""
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Stop serving; what hangs is cut."""
        self._server.wake.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    workspace: SlackWorkspace

    def start_with(self, workspace: SlackWorkspace) -> None:
        self.workspace = workspace
        self.calls: list[Json] = []
        self.mode: Json = {"fault": None}
        self.wake = threading.Event()  # set: calls that hang are cut
        self.lock = threading.Lock()

    def set_mode(self, mode: Json) -> None:
        if mode.get("fault") not in (None, *FAULTS):
            raise ValueError(f"no fault {mode.get('fault')!r}; there are {', '.join(FAULTS)}")
        with self.lock:
            self.wake.set()
            self.wake, self.mode = threading.Event(), mode

    def take_fault(self, method: str) -> Json:
        """Give the fault that this call meets, counted; ``{"fault": None}`` for none."""
        with self.lock:
            mode, wake = self.mode, self.wake
            if not mode.get("fault") or (mode.get("methods") and method not in mode["methods"]):
                return {"fault": None}
            if mode.get("count") is not None:
                if mode["count"] <= 0:
                    return {"fault": None}
                mode["count"] -= 1
            return {**mode, "wake": wake}

    def reset(self) -> None:
        self.set_mode({"fault": None})
        with self.lock:
            self.calls.clear()
            self.workspace.messages.clear()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: ``calls`` tells it better."""

    def _handle(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path.startswith("/api/"):
            self._slack(path.removeprefix("/api/"), body)
        elif path.startswith("/_double/"):
            self._control(path.removeprefix("/_double/"), body)
        else:
            self._answer(404, {"ok": False, "error": "not_found"})

    def _slack(self, method: str, body: bytes) -> None:
        fault = self.server.take_fault(method)
        call: Json = {
            "at": time.time(),
            "method": method,
            "fault": fault["fault"],
            "status": None,
            "error": None,
        }
        with self.server.lock:
            self.server.calls.append(call)
        try:
            args, token, warning = self._read(body)
            call["args"] = args
            if fault["fault"] and self._misbehave(fault, call):
                return
            with self.server.lock:
                answer = self.server.workspace.call(method, token, args)
        except SlackRefusal as refusal:
            answer, warning = refusal.body(), None
            call["error"] = refusal.error
        if fault["fault"] == "lost_answer":
            self._cut()
            return
        if warning:
            metadata = answer.setdefault("response_metadata", {})
            metadata["warnings"] = [*metadata.get("warnings", []), warning]
            answer["warning"] = warning
        call["status"] = 200
        self._answer(200, answer)

    def _misbehave(self, fault: Json, call: Json) -> bool:
        """Do the fault; False when the call is to be carried out after all."""
        kind = fault["fault"]
        if kind == "lost_answer":
            return False
        if kind == "hang":
            fault["wake"].wait(fault["hang_s"])
            self._cut()
        elif kind == "drop":
            self._cut()
        elif kind == "http_500":
            call["status"] = 500
            self._answer(500, "<html><body>Server Error</body></html>")
        elif kind == "rate_limited":
            call["status"], call["error"] = 429, "ratelimited"
            retry_after = {"Retry-After": str(fault["retry_after_s"])}
            self._answer(429, {"ok": False, "error": "ratelimited"}, retry_after)
        else:
            call["status"], call["error"] = 200, fault["error"]
            self._answer(200, {"ok": False, "error": fault["error"]})
        return True

    def _read(self, body: bytes) -> tuple[Json, str | None, str | None]:
        """Give arguments, token, and the warning that Slack adds about the request."""
        scheme, _, bearer = (self.headers.get("Authorization") or "").partition(" ")
        token = bearer.strip() if scheme.lower() == "bearer" else None
        args: Json = _form(urlsplit(self.path).query)
        kind = self.headers.get_content_type() if self.headers.get("Content-Type") else ""
        if kind == "application/json":
            args |= _json_object(body)
            charset = self.headers.get_content_charset()
            return args, token, None if charset else "missing_charset"
        if kind not in TEXT_TYPES:
            raise SlackRefusal("invalid_post_type")
        if body and not kind:
            raise SlackRefusal("missing_post_type")
        args |= _multipart(self.headers, body) if kind == "multipart/form-data" else _form(body.decode())
        return args, args.pop("token", None) or token, None

    def _control(self, what: str, body: bytes) -> None:
        server = self.server
        if self.command == "GET" and what in ("messages", "calls"):
            with server.lock:
                content = server.workspace.messages if what == "messages" else server.calls
                text = json.dumps(content)
            self._answer(200, text)
            return
        try:
            if what == "mode":
                server.set_mode(json.loads(body))
            elif what == "reset":
                server.reset()
            else:
                raise ValueError(f"no {self.command} /_double/{what}")
        except ValueError as err:
            self._answer(400, str(err))
            return
        self._answer(200, {"ok": True})

    def _answer(self, status: int, content: Json | str, headers: Mapping[str, str] | None = None) -> None:
        kind = "text/html" if isinstance(content, str) and content.startswith("<") else "application/json"
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _cut(self) -> None:
        self.close_connection = True


def _form(text: str) -> Json:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _json_object(body: bytes) -> Json:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        raise SlackRefusal("invalid_json") from None
    if not isinstance(content, dict):
        raise SlackRefusal("json_not_object")
    return content


def _multipart(headers: Message, body: bytes) -> Json:
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    parts = BytesParser(policy=HTTP).parsebytes(head + body)
    if not parts.is_multipart():
        raise SlackRefusal("invalid_form_data")
    found: Json = {}
    for part in parts.iter_parts():
        data = part.get_payload(decode=True)
        name = str(part.get_param("name", header="content-disposition"))
        found[name] = data.decode(errors="replace") if isinstance(data, bytes) else ""
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8070)
    parser.add_argument("--channel", action="append", help="a channel's name; may be repeated")
    given = parser.parse_args(argv)
    names: list[str] = given.channel or ["releases", "general"]
    channels: dict[str, Json] = {name.removeprefix("#"): {} for name in names}
    double = SlackDouble(port=given.port, channels=channels)
    print(f"Slack double at {double.url}", flush=True)
    double.serve()


if __name__ == "__main__":
    main()
