"""
From a bare machine to a release that went out and one that was taken back, through a real Airflow.

``make demo`` stays up for looking around until Ctrl-C; ``make demo ARGS=--once`` ends by itself.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.demo.delivery import deliver
from tests.demo.figures import faults, measure, write_report
from tests.demo.picture import draw
from tests.demo.screen import Screen, make_screen
from tests.demo.world import BUILD, DAG_ID, Builder, World
from tests.stack.airflow_api import AirflowApiError
from tests.stack.errors import StackError

BOUND = 0.1  # of the Dag's gate, for the picture


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; 0 when good was promoted and bad was aborted."""
    given = parse(argv)
    screen = make_screen()
    for sig in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # `kill` cleans up like Ctrl-C, also where a shell ignores that
        signal.signal(sig, signal.default_int_handler)
    builder = Builder(port=given.port, keep=given.keep, say=screen.say)
    try:
        return run(given, builder, screen)
    except (StackError, AirflowApiError) as err:
        print(f"error: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        screen.say("interrupted")
        return 130
    finally:
        builder.down()


def run(given: argparse.Namespace, builder: Builder, screen: Screen) -> int:
    """Set up, deliver, report; then wait for Ctrl-C unless asked to end."""
    began = time.monotonic()
    world = builder.up()
    setup_s = time.monotonic() - began
    tell_login(world, screen)
    wrong = show(world, screen, step_s=given.step_s, setup_s=setup_s)
    if given.screenshots:
        from tests.demo.screenshots import take

        take(world, given.screenshots, screen.say)
    if given.once:
        return 1 if wrong else 0
    stay(world, screen)
    return 0


def show(world: World, screen: Screen, *, step_s: float, setup_s: float) -> list[str]:
    """Deliver good and bad under load, and give what went otherwise than it has to."""
    with world.load() as load:
        seen = [deliver(world, load, screen, version, step_s=step_s) for version in ("v2", "v3")]
    releases = [measure(one) for one in seen]
    screen.table(releases)
    write_report(BUILD / "report.json", releases, setup_s=setup_s)
    draw(BUILD / "canary.svg", seen, bound=BOUND)
    screen.say(f"set-up took {setup_s:.0f} s; the same in {_short(BUILD / 'report.json')}")
    screen.say(f"what users saw: {_short(BUILD / 'canary.svg')}")
    for message in world.slack.messages()[-len(seen) :]:
        screen.say(f"Slack #{message['channel_name']}: {message['text']}")
    wrong = faults(releases)
    for fault in wrong:
        screen.say(f"NOT AS EXPECTED: {fault}")
    return wrong


def tell_login(world: World, screen: Screen) -> None:
    """Put address, user and password on the screen."""
    screen.say(f"Airflow: {world.airflow.url}   user: admin   password: {world.airflow.password()}")


def stay(world: World, screen: Screen) -> None:
    """Keep the load up, so that deliveries started by hand are judged, until Ctrl-C."""
    load = world.load("load-by-hand")
    screen.say(f"look around at {world.airflow.url}/dags/{DAG_ID}, press Trigger; Ctrl-C ends it")
    tell_login(world, screen)
    try:
        while True:
            if not load.running:
                load.start()
            time.sleep(1)
    except KeyboardInterrupt:
        screen.say("Ctrl-C: stopping")
    finally:
        load.stop()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--once", action="store_true", help="end by itself; exit code 1 unless all went as it has to"
    )
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    parser.add_argument(
        "--screenshots", type=Path, metavar="FOLDER", help="take pictures of Airflow's UI at the end"
    )
    parser.add_argument("--port", type=int, default=8080, help="of Airflow's UI, default %(default)s")
    parser.add_argument(
        "--step-s", type=float, default=8.0, help="seconds of each canary step, default %(default)g"
    )
    return parser.parse_args(argv)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
