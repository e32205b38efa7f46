"""A certificate authority for this one stack, and a kubeconfig for each that talks to its API server."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.stack import settings

_CLIENTS = {  # name: (user, group)
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{settings.NODE_NAME}", "system:nodes"),
    "apiserver-kubelet": ("apiserver", "system:masters"),
    "contour": ("contour", ""),
    "prometheus": ("prometheus", ""),
}


def make() -> None:
    """Make every key, certificate and kubeconfig that is not there yet."""
    folder = _tls("")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not _tls("done").exists():
        _make_authority()
        _make_service_account_key()
        _issue("apiserver", "kube-apiserver", "", names=["localhost", "kubernetes.default.svc", "kubernetes"])
        _issue("node", f"system:node:{settings.NODE_NAME}", "system:nodes", names=[settings.NODE_NAME])
        for name, (user, group) in _CLIENTS.items():
            _issue(name, user, group)
        _tls("done").touch()
    for name in _CLIENTS:
        write_kubeconfig(settings.kubeconfig(name), _certificate_user(name))


def write_kubeconfig(path: Path, user: dict[str, str], *, namespace: str = "default") -> None:
    """Write a kubeconfig of one context for this stack; ``user`` as kubeconfig's own ``user`` mapping."""
    cluster = {"server": settings.APISERVER_URL, "certificate-authority-data": _encoded("ca.pem")}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "stack", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [
            {"name": "stack", "context": {"cluster": "stack", "user": "user", "namespace": namespace}}
        ],
        "current-context": "stack",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, yaml.safe_dump(content).encode())


def tls_file(name: str) -> Path:
    """A file of the authority: ``<name>.pem`` or ``<name>.key``."""
    return _tls(name)


def _tls(name: str) -> Path:
    return settings.state_dir() / "tls" / name


def _encoded(name: str) -> str:
    return base64.b64encode(_tls(name).read_bytes()).decode()


def _certificate_user(name: str) -> dict[str, str]:
    return {"client-certificate-data": _encoded(f"{name}.pem"), "client-key-data": _encoded(f"{name}.key")}


def _make_authority() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cd-provider test stack")])
    authority = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _save("ca", key, authority)


def _make_service_account_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(_tls("service-accounts.pem"), public)
    _write(_tls("service-accounts.key"), _private(key))


def _issue(name: str, user: str, group: str, *, names: Sequence[str] = ()) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    addresses = [
        x509.IPAddress(ipaddress.ip_address(ip))
        for ip in (settings.HOST, settings.SERVICE_ADDRESS, settings.NODE_ADDRESS)
    ]
    authority = x509.load_pem_x509_certificate(_tls("ca.pem").read_bytes())
    builder = (
        _builder(x509.Name(attributes), authority.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
            critical=False,
        )
    )
    if names:
        alternatives = x509.SubjectAlternativeName([*map(x509.DNSName, names), *addresses])
        builder = builder.add_extension(alternatives, critical=False)
    authority_key = serialization.load_pem_private_key(_tls("ca.key").read_bytes(), password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    _save(name, key, builder.sign(authority_key, hashes.SHA256()))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365))
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _save(name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    _write(_tls(f"{name}.pem"), certificate.public_bytes(serialization.Encoding.PEM))
    _write(_tls(f"{name}.key"), _private(key))


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(f"{path.suffix}.new")
    unfinished.touch(mode=0o600)
    os.chmod(unfinished, 0o600)
    unfinished.write_bytes(content)
    unfinished.rename(path)
