"""The machine's iptables rules: noted before the stack, and rid of its additions afterwards."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence

FAMILIES = ("iptables", "ip6tables")
_OURS = re.compile(r"\b(KUBE-|CNI-|DOCKER|docker0|cni0)")
_COUNTERS = re.compile(r" \[\d+:\d+\]$")
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def rules(family: str) -> list[str]:
    """
    Give every chain and rule of one family, each led by its table, as ``nat :PREROUTING ACCEPT``.

    Empty where iptables is not installed.
    """
    command = shutil.which(f"{family}-save", path=_PATH)
    if command is None:
        return []
    return parse(subprocess.run([command], capture_output=True, text=True, check=False).stdout)


def parse(saved: str) -> list[str]:
    """The lines of ``iptables-save`` without counters and comments, each led by its table."""
    table, lines = "", []
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith((":", "-")):
            lines.append(f"{table} {_COUNTERS.sub('', line)}")
    return lines


def restore(family: str, before: Sequence[str]) -> None:
    """Remove what came since ``before`` and carries our names; put back the built-in policies."""
    script = undo_script(before, rules(family))
    command = shutil.which(f"{family}-restore", path=_PATH)
    if script and command:
        subprocess.run([command, "--noflush"], input=script, text=True, check=False)


def undo_script(before: Sequence[str], now: Sequence[str]) -> str:
    """
    Give the input of ``iptables-restore --noflush`` that undoes what the stack did since ``before``.

    Rules that other programs added meanwhile stay: only what names our chains or bridges is removed.
    """
    added = [(table, rule) for table, rule in map(_split, now) if f"{table} {rule}" not in before]
    ours = [(table, rule) for table, rule in added if _OURS.search(rule)]
    chains = {(table, rule[1:].split()[0]) for table, rule in ours if rule.startswith(":")}
    rules_elsewhere = [(t, r) for t, r in ours if r.startswith("-A") and (t, r.split()[1]) not in chains]
    steps = [
        (table, f"-P {_policy(rule)}") for table, rule in map(_split, before) if _changed(table, rule, now)
    ]
    steps += [(table, "-D" + rule[2:]) for table, rule in rules_elsewhere]
    steps += [(table, f"-F {chain}") for table, chain in sorted(chains)]
    steps += [(table, f"-X {chain}") for table, chain in sorted(chains)]
    tables = dict.fromkeys(table for table, _ in steps)
    return "".join(
        "\n".join([f"*{table}", *(step for of, step in steps if of == table), "COMMIT", ""])
        for table in tables
    )


def _split(line: str) -> tuple[str, str]:
    table, _, rule = line.partition(" ")
    return table, rule


def _policy(rule: str) -> str:
    """``:FORWARD ACCEPT`` → ``FORWARD ACCEPT``."""
    return rule[1:]


def _changed(table: str, rule: str, now: Sequence[str]) -> bool:
    """A built-in chain (others have the policy ``-``) whose policy is another one now."""
    return rule.startswith(":") and not rule.endswith(" -") and f"{table} {rule}" not in now
