"""``python -m tests.stack up | down | status | env``."""

from __future__ import annotations

import argparse
import shlex
import sys

from tests.stack.errors import StackError
from tests.stack.stack import PARTS, addresses, down, status, up


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="bring the stack up, or repair it")
    start.add_argument(
        "--part", action="append", default=[], choices=sorted(PARTS), help="only this part; repeatable"
    )
    commands.add_parser("down", help="stop everything and undo what was changed on the machine")
    commands.add_parser("status", help="each program: its pid, and whether it serves")
    commands.add_parser("env", help='print exports: eval "$(python -m tests.stack env)"')
    given = parser.parse_args()
    try:
        return _run(given)
    except StackError as err:
        print(f"error: {err}", file=sys.stderr)
        return 1


def _run(given: argparse.Namespace) -> int:
    if given.command == "up":
        up(given.part)
    elif given.command == "down":
        down()
    elif given.command == "status":
        for name, state in status().items():
            print(f"{name:24} {state}")
    if given.command in {"up", "env"}:
        for variable, value in addresses().items():
            print(f"export {variable}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
