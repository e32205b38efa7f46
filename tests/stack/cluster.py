"""Run kubectl against the stack's cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.stack.build import binary
from tests.stack.errors import StackError


def kubectl(kubeconfig: Path, *args: str, input: str | None = None, timeout_s: float = 120) -> str:
    """
    Run kubectl as the user of ``kubeconfig`` and give what it printed.

    :param input: text for its stdin, as for ``apply -f -``.
    :raises StackError: it failed; with its stderr.
    """
    argv = [str(binary("kube")), "kubectl", f"--kubeconfig={kubeconfig}", *args]
    env = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    done = subprocess.run(
        argv, input=input, capture_output=True, text=True, check=False, timeout=timeout_s, env=env
    )
    if done.returncode:
        raise StackError(f"`kubectl {' '.join(args)}` failed: {done.stderr.strip()}")
    return done.stdout
