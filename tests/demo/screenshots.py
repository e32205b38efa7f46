"""Pictures of Airflow's UI after the demo, taken in a browser without a screen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.demo.world import DAG_ID, World
from tests.stack import packages
from tests.stack.errors import StackError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Shot = Callable[["Page"], None]

WIDE, FLAT = (1440, 900), (1360, 360)
PACKAGES = ("chromium", "fonts-dejavu-core")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
NO_MAP = ".react-flow__minimap, .react-flow__controls, .react-flow__panel { display: none }"
PATIENCE_MS, SETTLE_MS = 90_000, 1500  # Airflow's pages draw themselves once more when their data comes
TYPES = ("prometheus", "oci_registry", "docker_engine", "kubernetes", "slack")


def take(world: World, folder: Path, say: Callable[[str], None]) -> None:
    """
    Take a picture of each page that a user of the package sees: ``graph.png`` and so on.

    :param folder: made when missing. Chromium is installed from Debian when missing.
    """
    if shutil.which("chromium") is None:
        packages.install(PACKAGES)
    folder.mkdir(parents=True, exist_ok=True)
    good, bad = newest(world, "success"), newest(world, "failed")
    shots: dict[str, tuple[tuple[int, int], Shot]] = {
        "graph": (FLAT, partial(graph, run_id=good)),
        "graph-aborted": (FLAT, partial(graph, run_id=bad)),
        "trigger": (WIDE, trigger),
        "log-canary": (WIDE, partial(log, run_id=good, task="canary")),
        "log-canary-aborted": (WIDE, partial(log, run_id=bad, task="canary")),
        "log-plan": (WIDE, partial(log, run_id=good, task="plan")),
        "log-outcome-aborted": (WIDE, partial(log, run_id=bad, task="outcome")),
        "details-canary": (WIDE, partial(details, run_id=good, task="canary")),
        "connections": (WIDE, connections),
        "providers": (WIDE, providers),
        **{f"connection-{kind}": (WIDE, partial(connection_form, kind=kind)) for kind in TYPES},
    }
    with chromium() as browser:
        for name, (size, shot) in shots.items():
            with logged_in(browser, world, size) as page:
                shot(page)
                page.wait_for_timeout(SETTLE_MS)
                page.screenshot(path=folder / f"{name}.png")
            shrink(folder / f"{name}.png")
            say(f"took {folder / name}.png")


def shrink(path: Path) -> None:
    """Keep 128 colours: what a user interface needs, at a third of the size."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def newest(world: World, state: str) -> str:
    """The newest run of the demo's Dag that ended so."""
    runs = world.airflow.api().dag_runs(DAG_ID)
    found = [str(run["dag_run_id"]) for run in runs if run["state"] == state]
    if not found:
        raise StackError(f"no run of {DAG_ID} ended {state}; there is nothing to take pictures of.")
    return found[0]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; it resolves no name, so that it speaks to the loopback alone."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def logged_in(browser: Browser, world: World, size: tuple[int, int]) -> Iterator[Page]:
    """Give a page of a fresh session of the first user."""
    width, height = size
    context = browser.new_context(
        base_url=world.airflow.url, viewport={"width": width, "height": height}, device_scale_factor=2
    )
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto("/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", world.airflow.password())
        page.click("button[type=submit]")
        page.wait_for_url(f"{world.airflow.url}/")
        yield page
    finally:
        context.close()


def graph(page: Page, *, run_id: str) -> None:
    """The graph of a run, its group open."""
    page.goto(f"/dags/{DAG_ID}/runs/{run_id}")
    page.get_by_label("Show Graph").click()
    page.get_by_label("Expand all task groups").click()
    page.get_by_label("Collapse Details Panel").click()
    page.get_by_role("link", name="outcome", exact=True).first.wait_for()
    page.wait_for_timeout(SETTLE_MS)
    page.locator(".react-flow__controls-fitview").click()
    page.add_style_tag(content=NO_MAP)


def trigger(page: Page) -> None:
    """What *Trigger* asks."""
    page.goto(f"/dags/{DAG_ID}")
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_text("Run Parameters").wait_for()


def log(page: Page, *, run_id: str, task: str) -> None:
    """The log of a task."""
    page.goto(f"/dags/{DAG_ID}/runs/{run_id}/tasks/shop.{task}")
    page.get_by_text("Post Execute").first.wait_for()


def details(page: Page, *, run_id: str, task: str) -> None:
    """What Airflow keeps of a task instance."""
    page.goto(f"/dags/{DAG_ID}/runs/{run_id}/tasks/shop.{task}/details")
    page.get_by_text("Try Number").first.wait_for()


def providers(page: Page) -> None:
    """The list of providers."""
    page.goto("/providers")
    page.get_by_text("airflow-provider-cd").wait_for()


def connections(page: Page) -> None:
    """The connections that the demo has made."""
    page.goto("/connections")
    page.get_by_text("prometheus_default").wait_for()


def connection_form(page: Page, *, kind: str) -> None:
    """What the form of a new connection of this type asks, with its extra fields open."""
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    page.keyboard.type(kind)
    page.keyboard.press("Enter")
    form.get_by_text("Standard Fields").wait_for()
    page.wait_for_timeout(SETTLE_MS)
    opened = form.get_by_text("Extra Fields", exact=True)
    if opened.count():
        opened.first.click()
