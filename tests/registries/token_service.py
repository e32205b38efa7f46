"""
A token service that a real registry trusts: it takes a login and gives a signed token for what may be read.

Source: the distribution project's "Token Authentication Specification" and its "Implementation".
"""

from __future__ import annotations

import base64
import datetime
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.loopback import Answer, Loopback, Request
from tests.registries.debian import LOGIN, PASSWORD

ISSUER, SERVICE = "tests", "registry"


class TokenService(Loopback):
    """
    Answer ``/token``: to LOGIN, and to nobody when all is ``public``, with a token to read; else with 401.

    ``life_s`` is how long its next tokens live; ``given`` are their scopes.
    """

    def __init__(self, *, life_s: int = 300, public: bool = True) -> None:
        super().__init__(self._serve)
        self.life_s, self.public = life_s, public
        self.given: list[str] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate(self._key)

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    def auth(self, folder: Path) -> Mapping[str, Any]:
        """Have a registry trust this service."""
        bundle = folder / "bundle.pem"
        bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        told = {"realm": self.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(bundle)}
        return {"token": told}

    def token(self, scope: str, *, actions: tuple[str, ...] = ("pull", "push")) -> str:
        """Sign one."""
        kind, _, rest = scope.partition(":")
        name = rest.rpartition(":")[0]
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": LOGIN,
            "aud": SERVICE,
            "nbf": now - 10,
            "exp": now + self.life_s,
            "jti": str(len(self.given)),
            "access": [{"type": kind, "name": name, "actions": list(actions)}],
        }
        chain = [base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER)).decode()]
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": chain})

    def _serve(self, request: Request) -> Answer:
        login = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        if request.headers.get("authorization", self.public) not in (True, f"Basic {login}"):
            return Answer(b'{"errors":[{"code":"UNAUTHORIZED"}]}', 401)
        scope = parse_qs(urlsplit(request.path).query).get("scope", [""])[0]
        self.given.append(scope)
        told = {"token": self.token(scope, actions=("pull",)), "expires_in": self.life_s}
        return Answer(json.dumps(told).encode(), headers={"Content-Type": "application/json"})


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "token service")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
