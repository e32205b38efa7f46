"""What ``down`` ends and puts back: on folders, settings and child processes of the test's own, never the machine's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.stack import lock, machine, packet_filter, preflight, settings
from tests.stack.processes import Program, ensure, running, start_time, stop
from tests.stack.stack import down

BEFORE = "1\n"


class Machine:
    """What stands for the machine: one kernel setting, two folders, some mounts; and what was done to the rest."""

    def __init__(self, folder: Path) -> None:
        self.setting, self.refused = folder / "ip_forward", folder / "no_such_folder" / "panic"
        self.old, self.new = folder / "old", folder / "new"
        self.mounts, self.done = ["/", "/proc"], list[str]()
        self.setting.write_text(BEFORE)
        self.old.mkdir()

    def run(self, argv: list[str], **_: object) -> SimpleNamespace:
        """Note a command instead of running it."""
        self.done.append(" ".join(argv))
        return SimpleNamespace(returncode=0)


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Turn all that the stack reads and writes outside its state folder to this test's."""
    own = Machine(tmp_path)
    monkeypatch.setenv("CD_STACK_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(settings, "LOCK_FILE", tmp_path / "stack.lock")
    monkeypatch.setattr(preflight, "refuse_elsewhere", lambda: None)  # nothing here needs root, or Go
    monkeypatch.setattr(
        machine, "SYSCTLS", (str(own.setting), str(own.refused))
    )  # absolute: not in /proc/sys
    monkeypatch.setattr(machine, "_FOLDERS", (str(own.old), str(own.new)))
    monkeypatch.setattr(machine, "BRIDGES", ("bridge-of-a-test",))
    monkeypatch.setattr(machine, "_remove_bridge", lambda name: own.done.append(f"bridge {name}"))
    monkeypatch.setattr(machine, "_mounts", lambda: own.mounts)
    monkeypatch.setattr(machine, "_pod_cgroups", lambda: list[Path]())
    monkeypatch.setattr(machine, "subprocess", SimpleNamespace(run=own.run))
    monkeypatch.setattr(packet_filter, "rules", lambda family: [f"filter :{family} ACCEPT"])
    monkeypatch.setattr(
        packet_filter, "restore", lambda family, before: own.done.append(f"{family} {'; '.join(before)}")
    )
    yield own
    for name in ("registry", "docker"):
        stop(name, grace_s=1)


def test_settings_and_folders_are_as_they_were(own: Machine) -> None:
    machine.remember()
    own.setting.write_text("0")
    own.new.mkdir()
    (own.new / "left").touch()

    machine.undo()

    assert own.setting.read_text() == BEFORE.strip()
    assert (own.old.exists(), own.new.exists()) == (True, False)


def test_what_counts_is_how_the_machine_was_at_first(own: Machine) -> None:
    machine.remember()
    own.setting.write_text("0")
    machine.remember()

    machine.undo()

    assert own.setting.read_text() == BEFORE.strip()


def test_after_it_the_machine_is_noted_anew(own: Machine) -> None:
    machine.remember()
    machine.undo()
    own.setting.write_text("2")
    machine.remember()
    own.setting.write_text("0")

    machine.undo()

    assert own.setting.read_text() == "2"


def test_a_setting_that_cannot_be_written_keeps_nothing_else_from_its_place(own: Machine) -> None:
    own.refused.parent.mkdir()
    own.refused.write_text("10")
    machine.remember()
    own.refused.unlink()
    own.refused.mkdir()
    own.new.mkdir()

    machine.undo()

    assert not own.new.exists()


def test_of_mounts_only_the_stacks_own_new_ones_go_the_innermost_first(own: Machine) -> None:
    state = settings.state_dir()
    own.mounts = ["/", f"{state}/old"]
    machine.remember()
    own.mounts = [*own.mounts, f"{state}/pod", "/home/user", f"{state}/pod/secret", f"{state}-of-another/pod"]

    machine.undo()

    assert [done for done in own.done if done.startswith("umount")] == [
        f"umount -l {state}/pod/secret", f"umount -l {state}/pod",
    ]  # fmt: skip


def test_the_packet_filter_is_given_the_rules_of_before(own: Machine) -> None:
    machine.remember()

    machine.undo()

    assert [done for done in own.done if "tables" in done] == [
        "iptables filter :iptables ACCEPT", "ip6tables filter :ip6tables ACCEPT",
    ]  # fmt: skip


@pytest.mark.parametrize("was_there", [True, False])
def test_a_bridge_goes_unless_it_was_there(
    own: Machine, monkeypatch: pytest.MonkeyPatch, was_there: bool
) -> None:
    name = "lo" if was_there else "bridge-of-a-test"
    monkeypatch.setattr(machine, "BRIDGES", (name,))
    machine.remember()

    machine.undo()

    assert (f"bridge {name}" in own.done) is not was_there


def test_where_nothing_was_noted_no_setting_and_no_folder_is_touched(own: Machine) -> None:
    own.setting.write_text("7")
    own.new.mkdir()

    machine.undo()

    assert own.setting.read_text() == "7"
    assert own.new.exists()


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run something that waits, with these words on its command line."""
    argv = [sys.executable, "-c", "input()", *arguments]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_shims_of_ours_and_what_runs_in_pods_are_killed_and_nobody_else(
    own: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, docker = str(settings.containerd_socket()), str(settings.state_dir() / "docker" / "containerd.sock")
    shim = "containerd-shim-runc-v2"
    with (
        child(shim, "-address", ours) as of_pods,
        child(shim, "-address", docker) as of_docker,
        child() as in_a_pod,
        child(shim, "-address", str(tmp_path / "another.sock")) as of_another,
        child("ctr", "-address", ours) as client,
    ):
        living = lambda: [in_a_pod.pid] if in_a_pod.poll() is None else []  # noqa: E731
        monkeypatch.setattr(machine, "_in_pod_cgroups", living)

        machine.kill_containers()

        ended = [process.wait(timeout=10) for process in (of_pods, of_docker, in_a_pod)]
        left = [process.poll() for process in (of_another, client)]
    assert (ended, left) == ([-9, -9, -9], [None, None])


def sleeper(name: str) -> int:
    """Run a program of the stack that does nothing; give its pid."""
    ensure(Program(name, ("/bin/sleep", "600"), lambda: None))
    process = running(name)
    assert process is not None
    return process.pid


def test_down_ends_programs_also_one_that_was_not_written_down_and_leaves_the_logs(own: Machine) -> None:
    machine.remember()
    own.setting.write_text("0")
    pids = [sleeper("registry"), sleeper("docker")]
    state = settings.state_dir()
    (state / "pids" / "docker.json").unlink()
    (state / "certificate.pem").touch()
    lock.note_stack(state)

    down()

    assert [start_time(pid) for pid in pids] == [None, None]
    assert [path.name for path in state.iterdir()] == ["logs"]
    assert own.setting.read_text() == BEFORE.strip()
    assert lock.previous_stack() is None


def test_down_ends_what_started_last_first(own: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("registry", "docker"):
        sleeper(name)

    down()

    told = capfd.readouterr()
    said = told.out + told.err
    assert said.index("stopping docker") < said.index("stopping registry")


def test_down_may_be_repeated(own: Machine) -> None:
    sleeper("registry")
    down()

    down()

    assert running("registry") is None
