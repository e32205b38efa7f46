from __future__ import annotations

import pytest

from cd_provider.core.access import DELIVERY_PERMISSIONS, Permission, allow, role, role_table


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        pytest.param(Permission("get", "", "pods", "", ""), "get pods", id="core group"),
        pytest.param(Permission("get", "", "pods", "log", ""), "get pods/log", id="subresource"),
        pytest.param(
            Permission("patch", "gateway.networking.k8s.io", "httproutes", "", ""),
            "patch httproutes.gateway.networking.k8s.io",
            id="group",
        ),
        pytest.param(
            Permission("get", "apps", "deployments", "scale", ""),
            "get deployments.apps/scale",
            id="group and subresource",
        ),
    ],
)
def test_a_permission_reads_as_rbac_says_it(permission: Permission, text: str) -> None:
    assert str(permission) == text


def test_a_role_grants_just_what_is_asked_with_the_verbs_of_one_resource_together() -> None:
    asked = (
        *allow("", "pods", "get list", "see them"),
        *allow("apps", "deployments", "get", "read"),
        *allow("", "pods", "watch get", "follow them"),
        *allow("", "pods", "get", "read logs", subresource="log"),
    )

    assert role("shop", asked, name="mine") == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "mine", "namespace": "shop"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        ],
    }


def test_no_rule_is_wider_than_its_name() -> None:
    rules = role("shop")["rules"]

    assert "*" not in str(rules)
    assert {resource for rule in rules for resource in rule["resources"]}.isdisjoint({"secrets", "nodes"})


def test_the_table_gives_each_permission_once_with_its_reason() -> None:
    table = role_table()

    for one in DELIVERY_PERMISSIONS:
        assert any(
            f"| {one.target} |" in line and one.verb in line.split("|")[3] and one.why in line
            for line in table.splitlines()
        ), str(one)
    assert (
        "| autoscaling | horizontalpodautoscalers | list | plan's hint: who sets replicas | optional |"
        in table
    )


def test_nothing_is_asked_for_twice() -> None:
    assert len({str(one) for one in DELIVERY_PERMISSIONS}) == len(DELIVERY_PERMISSIONS)
