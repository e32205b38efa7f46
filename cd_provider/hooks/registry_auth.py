"""
Who asks: nobody, a login, or a token that a token service gave for the login.

The login leaves for the registry's own host and for the token services that the connection names, no other.
Source: the distribution project's token authentication specification; RFC 9110, section 11.6.1.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx

from cd_provider.exceptions import RegistryRefusedError
from cd_provider.hooks.registry_http import Reply, origin, read_address, send, unavailable
from cd_provider.hooks.registry_settings import RegistrySettings

_TOKEN_BYTES = 1024 * 1024
_DEFAULT_LIFE_S = 60.0  # the specification's, when the token service does not say
_MARGIN_S = 5.0  # a token is not used in its last seconds: it might run out on the way
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PART = re.compile(rf'\s*,?\s*({_WORD})(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD})))?')


@dataclass(frozen=True)
class Challenge:
    """One way to identify oneself that a 401 offers; scheme and names in lower case."""

    scheme: str
    values: dict[str, str]


def read_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read the values of ``WWW-Authenticate``: several headers, or several challenges in one."""
    found: list[Challenge] = []
    for header in headers:
        for match in _PART.finditer(header):
            name, quoted, plain = match.groups()
            if quoted is None and plain is None:
                found.append(Challenge(name.lower(), {}))
            elif found:
                value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                found[-1].values[name.lower()] = value
    return found


@dataclass(frozen=True)
class _Token:
    header: str
    until: float


class Authorizer:
    """
    Give the ``Authorization`` header for each repository, once the registry has said what it wants.

    :param clock: seconds on a clock that never goes back; tokens are forgotten by it.
    :param now: epoch seconds.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._settings, self._http, self._clock, self._now = settings, http, clock, now
        self._basic = False
        self._tokens: dict[str, _Token] = {}

    def header(self, path: str) -> dict[str, str]:
        """Give what is known to work for ``path``; nothing before the first 401."""
        token = self._tokens.get(path)
        if token is not None and token.until > self._clock():
            return {"Authorization": token.header}
        return {"Authorization": self._login()} if self._basic else {}

    async def answer(self, refusal: Reply, path: str, *, what: str) -> None:
        """
        Do what a 401 asks for; afterwards :meth:`header` has something better.

        :raises RegistryRefusedError: no login where one is needed, a token service that this connection does
            not name, or one that refuses the login.
        :raises RegistryUnavailableError: the token service gives no usable answer.
        """
        offered = {one.scheme: one for one in read_challenges(refusal.headers.get_list("WWW-Authenticate"))}
        if bearer := offered.get("bearer"):
            self._tokens.pop(path, None)
            self._tokens[path] = await self._ask_for_token(bearer, path, what=what)
        elif "basic" in offered and self._settings.login and not self._basic:
            self._basic = True
        else:
            raise self._refused(refusal, offered, what=what)

    def _login(self) -> str:
        pair = f"{self._settings.login}:{self._settings.password}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def _refused(self, refusal: Reply, offered: dict[str, Challenge], *, what: str) -> RegistryRefusedError:
        conn = f"connection {self._settings.conn_id!r}"
        if "basic" not in offered:
            ways = ", ".join(sorted(offered)) or "nothing"
            return RegistryRefusedError(
                f"{what}: the registry answers {refusal.code} and offers {ways}; basic and bearer are known "
                "here."
            )
        if self._settings.login:
            return RegistryRefusedError(
                f"{what}: the registry answers {refusal.code} to the login of {conn}. "
                "Correct login and password there."
            )
        return RegistryRefusedError(
            f"{what}: the registry answers {refusal.code} and wants a login; {conn} has none."
        )

    async def _ask_for_token(self, challenge: Challenge, path: str, *, what: str) -> _Token:
        realm = self._realm(challenge, what=what)
        wanted = {"scope": challenge.values.get("scope") or f"repository:{path}:pull"}
        if service := challenge.values.get("service"):
            wanted["service"] = service
        login = {"Authorization": self._login()} if self._settings.login else {}
        url = realm.copy_merge_params(wanted)
        reply = await send(self._http, url, login, limit=_TOKEN_BYTES, settings=self._settings)
        if reply.status == httpx.codes.TOO_MANY_REQUESTS or reply.status >= 500:
            raise unavailable(reply, what=f"{what}: token service", now=self._now())
        return self._read_token(reply, what=what)

    def _realm(self, challenge: Challenge, *, what: str) -> httpx.URL:
        realm = read_address(challenge.values.get("realm", ""))
        scheme, host = origin(realm) if realm else ("", "")
        if realm is None or not self._settings.may_see_login(scheme=scheme, host=host):
            seen = f"{scheme}://{host}" if realm else "no address"
            raise RegistryRefusedError(
                f"{what}: the registry sends us to {seen} for a token, but connection "
                f"{self._settings.conn_id!r} is for {self._settings.registry}. Nothing was sent there. When "
                "that host may see this login, add it to token_realms of the connection (it has to speak TLS "
                "unless insecure_http is set)."
            )
        return realm

    def _read_token(self, reply: Reply, *, what: str) -> _Token:
        who = f"{what}: token service {reply.host}"
        if reply.status in (400, 401, 403):
            whose = "the login" if self._settings.login else "the missing login"
            raise RegistryRefusedError(
                f"{who} answers {reply.code} to {whose} of connection {self._settings.conn_id!r}. "
                "Correct login and password there."
            )
        try:
            said = json.loads(reply.body) if reply.status == httpx.codes.OK else {}
            token = said.get("token") or said.get("access_token")
            life_s = float(said.get("expires_in") or _DEFAULT_LIFE_S)
        except (ValueError, TypeError, AttributeError, RecursionError):
            token, life_s = None, 0.0
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
            raise RegistryRefusedError(f"{who} answers {reply.status} without a token that can be used.")
        return _Token(f"Bearer {token}", self._clock() + max(life_s - _MARGIN_S, 1.0))
