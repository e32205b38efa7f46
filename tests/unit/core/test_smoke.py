from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.smoke import Health, SmokeResult, SmokeRun, last_lines, smoke, smoke_arguments, words
from cd_provider.exceptions import ArgumentError


def test_without_arguments_it_is_strict() -> None:
    run = SmokeRun.parse({})

    assert (run.memory, run.cpus, run.pids, run.read_only) == (256 * 1024**2, 0.5, 128, True)
    assert run.tmpfs == {"/tmp": 64 * 1024**2}
    assert run.limit_s == 60


def test_rendered_texts_read_like_values() -> None:
    run = SmokeRun.parse(
        {
            "command": '["/app", "--say", "a b"]', "entrypoint": "/bin/run now", "environment": '{"A": "1"}',
            "health": '{"port": "8080", "within_s": "1m"}', "timeout_s": "2m", "memory": "1Gi", "cpus": "2",
            "pids": "8", "read_only": "False", "tmpfs": '{"/run": "1Mi"}', "user": 1000,
        }
    )  # fmt: skip

    assert run == SmokeRun(
        command=("/app", "--say", "a b"), entrypoint=("/bin/run", "now"), environment={"A": "1"},
        health=Health(within_s=60, port=8080), timeout_s=120, memory=1024**3, cpus=2, pids=8, read_only=False,
        tmpfs={"/run": 1024**2}, user="1000",
    )  # fmt: skip
    assert run.limit_s == 60


REFUSED = [
    pytest.param({"comand": "x"}, "smoke: unknown key 'comand'", id="key"),
    pytest.param({"command": []}, r"command: saw \[\]", id="no-command"),
    pytest.param({"command": [1]}, r"command: saw \[1\]", id="number-as-word"),
    pytest.param({"memory": "5Mi"}, "memory: saw '5Mi', expected at least 6Mi", id="memory"),
    pytest.param({"memory": "lots"}, "memory: saw 'lots'", id="no-memory"),
    pytest.param({"cpus": 0}, "cpus: saw 0", id="no-cpu"),
    pytest.param({"pids": 0}, "pids: saw 0", id="no-pid"),
    pytest.param({"timeout_s": 0.5}, "timeout_s: saw 0.5", id="no-time"),
    pytest.param({"read_only": "maybe"}, "read_only: saw 'maybe'", id="read-only"),
    pytest.param({"tmpfs": {"tmp": "1Mi"}}, "tmpfs: saw the path 'tmp'", id="relative-path"),
    pytest.param({"tmpfs": ["/tmp"]}, "tmpfs: saw .*, expected paths and sizes", id="tmpfs-list"),
    pytest.param({"user": ""}, "user: saw ''", id="user"),
    pytest.param({"environment": {"A=B": "1"}}, "environment: expected a mapping", id="environment-name"),
    pytest.param({"environment": {"A": 1}}, "environment: expected a mapping", id="environment-number"),
    pytest.param({"health": {}}, "health: saw {}, expected a port", id="no-health"),
    pytest.param({"health": {"port": 80, "command": "x"}}, "expected a port .*, or a command", id="two-ways"),
    pytest.param({"health": {"port": 80, "paths": "/"}}, "health: unknown key 'paths'", id="health-key"),
    pytest.param({"health": {"port": 70000}}, "health, port: saw 70000", id="port"),
    pytest.param({"health": {"port": 80, "path": "healthz"}}, "health, path: saw 'healthz'", id="path"),
    pytest.param(
        {"health": {"port": 80, "path": "/a\r\nHost: b"}}, "health, path: saw", id="path-of-two-lines"
    ),
    pytest.param({"health": "yes"}, "health: saw the text 'yes', expected JSON", id="health-text"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED)
def test_it_refuses(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        SmokeRun.parse(value)


def test_values_of_the_environment_are_not_shown() -> None:
    with pytest.raises(ArgumentError) as raised:
        SmokeRun.parse({"environment": {"TOKEN": "s3cret", "N": 1}})

    assert "s3cret" not in str(raised.value)


def test_the_maker_gives_only_what_was_said() -> None:
    made = smoke(command=["/app"], memory="1Gi", docker_conn_id="engine")

    assert made == {"command": ["/app"], "memory": "1Gi", "docker_conn_id": "engine"}
    assert smoke_arguments(made) == made
    assert smoke_arguments({}) == {}


@pytest.mark.parametrize("value", [{"image": "x"}, {"timeout": 5}, True, "on"])
def test_a_wrong_smoke_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="smoke: "):
        smoke_arguments(value)


def test_log_lines_are_bounded_and_obey_no_terminal() -> None:
    raw = b"".join(b"%d\n" % n for n in range(100)) + b"\x1b[2Jred\x07\n" + b"\xff" + b"x" * 5000

    lines = last_lines(raw)

    assert len(lines) == 20
    assert lines[0] == "82"
    assert lines[-2] == " [2Jred"
    assert len(lines[-1]) == 301
    assert all(line.isprintable() for line in lines)


def test_no_log_is_no_lines() -> None:
    assert last_lines(b"") == ()


def test_a_result_is_plain_json() -> None:
    assert SmokeResult(None, 1.23456, ("a",)).as_dict() == {
        "exit_code": None, "ran_s": 1.23, "last_lines": ["a"], "fault": None,
    }  # fmt: skip


def test_words_are_split_at_white_space() -> None:
    assert words(" /app  --check ", name="command") == ("/app", "--check")
