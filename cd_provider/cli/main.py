"""``cd-provider``: four commands; 0 is fine, 1 differs or was refused, 2 was asked for wrongly, 130 was interrupted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cd_provider import __version__
from cd_provider.exceptions import ArgumentError, CdProviderError

FINE, DIFFERS, USAGE, INTERRUPTED = 0, 1, 2, 130


def parser() -> argparse.ArgumentParser:
    """Make the parser; each command adds its own arguments."""
    from cd_provider.cli.backtest import add_backtest, backtest
    from cd_provider.cli.plan import add_plan, plan
    from cd_provider.cli.rejudge import add_rejudge, rejudge
    from cd_provider.cli.replay import add_replay, replay

    main = argparse.ArgumentParser(prog="cd-provider", description="What a judge would say.")
    main.add_argument("--version", action="version", version=f"cd-provider {__version__}")
    commands = main.add_subparsers(title="commands", required=True, metavar="COMMAND")
    found = (
        ("plan", add_plan, plan, "what a judge can see at this service's traffic, and how soon"),
        ("backtest", add_backtest, backtest, "how often a judge would stop this service's own version"),
        ("replay", add_replay, replay, "whether a canary's record gives the same verdicts again"),
        ("rejudge", add_rejudge, rejudge, "a recorded canary, read from Prometheus again and judged anew"),
    )
    for name, add, run, what in found:
        command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        add(command)
        command.set_defaults(run=run)
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    given = parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except ArgumentError as err:
        sys.stderr.write(f"cd-provider: {err}\n")
        return USAGE
    except CdProviderError as err:
        sys.stderr.write(f"cd-provider: {err}\n")
        return DIFFERS
    except KeyboardInterrupt:
        sys.stderr.write("cd-provider: interrupted\n")
        return INTERRUPTED
