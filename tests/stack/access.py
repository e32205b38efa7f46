"""Service accounts with exactly the rules a test names, and a kubeconfig for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.stack import settings
from tests.stack.errors import NotReadyError, StackError
from tests.stack.processes import wait_until

if TYPE_CHECKING:
    from tests.stack.stack import Stack


def service_account(
    stack: Stack,
    namespace: str,
    name: str,
    *,
    role_yaml_rules: str | Sequence[dict[str, Any]],
    cluster: bool = False,
) -> Path:
    """
    Make a service account that may do what its rules say, and give a kubeconfig with its token (valid a day).

    :param namespace: where the account lives; made when missing.
    :param role_yaml_rules: RBAC rules, parsed, or as the YAML text of a list or of a whole (Cluster)Role.
    :param cluster: bind the rules in the whole cluster; else in ``namespace`` only.
    :returns: path of the kubeconfig, below the state folder.
    """
    rules = _rules(role_yaml_rules)
    stack.kubectl("apply", "--server-side", "-f", "-", input=_objects(namespace, name, rules, cluster))
    token = stack.kubectl("create", "token", name, "-n", namespace, "--duration=24h").strip()
    path = settings.state_dir() / "kubeconfig" / f"{namespace}.{name}.yaml"
    _write(stack, path, token, namespace)
    account = f"system:serviceaccount:{namespace}:{name}"
    wait_until(
        lambda: _effective(stack, namespace, account, rules), timeout_s=20, what=f"the role of {account}"
    )
    return path


def _effective(stack: Stack, namespace: str, account: str, rules: Sequence[dict[str, Any]]) -> None:
    """Raise ``NotReadyError`` while the API server does not know of the rules: it learns of them by watching."""
    for rule in [rule for rule in rules if "/" not in rule["resources"][0]][:1]:
        resource = ".".join(filter(None, [rule["resources"][0], rule["apiGroups"][0]]))
        try:
            stack.kubectl("auth", "can-i", rule["verbs"][0], resource, "-n", namespace, f"--as={account}")
        except StackError as err:
            raise NotReadyError(str(err)) from err


def _rules(given: str | Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    parsed = yaml.safe_load(given) if isinstance(given, str) else given
    rules = parsed["rules"] if isinstance(parsed, dict) else parsed
    return [dict(rule) for rule in rules]


def _objects(namespace: str, name: str, rules: list[dict[str, Any]], cluster: bool) -> str:
    group = "rbac.authorization.k8s.io"
    kind = "ClusterRole" if cluster else "Role"
    role_name = f"{namespace}-{name}" if cluster else name
    where = {} if cluster else {"namespace": namespace}
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": role_name, **where}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": role_name, **where},
            "roleRef": {"apiGroup": group, "kind": kind, "name": role_name},
            "subjects": [account],
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _write(stack: Stack, path: Path, token: str, namespace: str) -> None:
    """The admin's kubeconfig with another user: it holds for a cluster that the user gave as well."""
    admin = yaml.safe_load(stack.kubectl("config", "view", "--raw", "--minify", "--flatten"))
    admin["users"] = [{"name": "account", "user": {"token": token}}]
    admin["contexts"][0]["context"] |= {"user": "account", "namespace": namespace}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(admin))
