"""
What is shown inside Airflow: a page about a judge's verdict, served by its API server.

Every process of Airflow loads this module, workers among them: it imports nothing but the base class. The page's own
modules are loaded with its first request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from cd_provider.core.names import PAGES


class LateApp:
    """An ASGI application that is put together when it is first asked."""

    def __init__(self) -> None:
        self._app: Callable[..., Awaitable[None]] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            from cd_provider.plugins.app import make_app

            self._app = make_app()
        await self._app(scope, receive, send)


class CdProviderPlugin(AirflowPlugin):
    """Adds the page; found by its entry point in the group ``airflow.plugins``."""

    name = "cd_provider"
    fastapi_apps = [{"app": LateApp(), "url_prefix": PAGES, "name": "Continuous delivery"}]  # noqa: RUF012
