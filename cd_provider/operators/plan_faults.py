"""A plan's faults, gathered instead of stopping at the first; and whether they may pass by themselves."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cd_provider.exceptions import (
    CdProviderError,
    ClusterUnauthorizedError,
    PlanError,
    PlanUnavailableError,
    TransientError,
)

T = TypeVar("T")


@dataclass
class Faults:
    """
    What was found so far.

    :ivar lasting: one of them stays until a person acts, so that another try is useless.
    """

    found: list[str] = field(default_factory=list)
    lasting: bool = False

    def catch(self, call: Callable[..., T], *args: Any) -> T | None:
        """Call, and keep what went wrong; None then."""
        try:
            return call(*args)
        except CdProviderError as err:
            self.add(err)
            return None

    async def wait_for(self, call: Awaitable[T]) -> T | None:
        """Await, and keep what went wrong; None then."""
        try:
            return await call
        except CdProviderError as err:
            self.add(err)
            return None

    def add(self, err: CdProviderError) -> None:
        """Keep what an error says."""
        faults = err.faults if isinstance(err, PlanError) else (str(err),)
        if may_pass(err):
            self._keep(faults)
        else:
            self.name(faults)

    def name(self, faults: Iterable[str]) -> None:
        """Keep faults that stay until a person acts."""
        self.lasting = self._keep(faults) or self.lasting

    def _keep(self, faults: Iterable[str]) -> bool:
        """Keep each once; say whether there was any."""
        given = list(faults)
        self.found += [fault for fault in dict.fromkeys(given) if fault not in self.found]
        return bool(given)

    def raise_if_any(self, app: str) -> None:
        """
        Raise what was gathered as one error.

        :raises PlanError: one fault at least stays.
        :raises PlanUnavailableError: all of them may pass.
        """
        if self.found:
            raise (PlanError if self.lasting else PlanUnavailableError)(app=app, faults=self.found)


def may_pass(err: CdProviderError) -> bool:
    """
    Say whether what an error tells may be over by itself.

    A canary under way waits out whatever keeps it from reading, within its own deadline; before one begins,
    credentials that were refused twice, and TLS that cannot be agreed on, are for a person to mend.
    """
    return (
        isinstance(err, TransientError) and not isinstance(err, ClusterUnauthorizedError) and not _of_tls(err)
    )


def _of_tls(err: BaseException | None) -> bool:
    """Say whether TLS is behind it; an end in mid-handshake is what a restarting server looks like."""
    while err is not None:
        if isinstance(err, ssl.SSLError):
            return not isinstance(err, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        err = err.__cause__ or err.__context__
    return False
