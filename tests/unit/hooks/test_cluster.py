from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from cd_provider.exceptions import CdProviderError, ClusterUnauthorizedError, ConnectionFaultError
from cd_provider.hooks.cluster import ClusterHook, ClusterLogin, load

KUBECONFIG = {
    "current-context": "a",
    "contexts": [
        {"name": "a", "context": {"cluster": "one", "user": "me"}},
        {"name": "b", "context": {"cluster": "two", "user": "me"}},
    ],
    "clusters": [
        {"name": "one", "cluster": {"server": "https://one.example:6443"}},
        {"name": "two", "cluster": {"server": "https://two.example:6443"}},
    ],
    "users": [{"name": "me", "user": {"token": "hush-hush"}}],
}


def connect(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> ClusterHook:
    monkeypatch.setenv("AIRFLOW_CONN_K8S", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    return ClusterHook("k8s")


def with_user(**user: Any) -> dict[str, Any]:
    return {**KUBECONFIG, "users": [{"name": "me", "user": user}]}


@pytest.mark.parametrize(
    ("extras", "login"),
    [
        pytest.param({"in_cluster": True}, ClusterLogin(in_cluster=True), id="in cluster"),
        pytest.param({"in_cluster": "true"}, ClusterLogin(in_cluster=True), id="in cluster as text"),
        pytest.param({"kube_config_path": "/k"}, ClusterLogin(kube_config_path="/k"), id="a file"),
        pytest.param({"kube_config": "{}"}, ClusterLogin(kube_config="{}"), id="JSON text"),
        pytest.param({"kube_config": KUBECONFIG}, ClusterLogin(kube_config=KUBECONFIG), id="a dict"),
        pytest.param(
            {"in_cluster": "False", "kube_config": "", "kube_config_path": "/k", "cluster_context": ""},
            ClusterLogin(kube_config_path="/k"),
            id="what the form leaves empty is missing",
        ),
        pytest.param(
            {"extra__kubernetes__kube_config_path": "/k", "extra__kubernetes__disable_verify_ssl": True},
            ClusterLogin(kube_config_path="/k", disable_verify_ssl=True),
            id="names with the old prefix",
        ),
        pytest.param(
            {"kube_config_path": "", "extra__kubernetes__kube_config_path": "/k"},
            ClusterLogin(kube_config_path="/k"),
            id="an empty new name does not hide the old one",
        ),
        pytest.param(
            {"kube_config_path": "/k", "cluster_context": "b", "disable_verify_ssl": "True"},
            ClusterLogin(kube_config_path="/k", cluster_context="b", disable_verify_ssl=True),
            id="context and verification",
        ),
    ],
)
def test_extras_are_read_as_the_kubernetes_provider_names_them(
    extras: dict[str, Any], login: ClusterLogin
) -> None:
    assert ClusterLogin.from_extras(extras, conn_id="k8s") == login


@pytest.mark.parametrize(
    ("extras", "said"),
    [
        pytest.param({}, "saw no way to a cluster", id="nothing"),
        pytest.param({"in_cluster": "false", "kube_config": " "}, "saw no way to a cluster", id="all empty"),
        pytest.param(
            {"in_cluster": True, "kube_config": "{}"}, "saw in_cluster and kube_config,", id="two ways"
        ),
        pytest.param({"in_cluster": "yes"}, "in_cluster: saw 'yes'", id="no truth value"),
    ],
)
def test_a_way_to_the_cluster_is_never_guessed(extras: dict[str, Any], said: str) -> None:
    with pytest.raises(ConnectionFaultError, match="connection 'k8s'") as caught:
        ClusterLogin.from_extras(extras, conn_id="k8s")

    assert said in str(caught.value)


async def test_a_missing_connection_is_an_error_and_no_default_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(json.dumps(KUBECONFIG))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    with pytest.raises(ConnectionFaultError, match="'kubernetes_default'"):
        await ClusterHook().configuration()


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"kube_config": KUBECONFIG}, id="dict"),
        pytest.param({"kube_config": json.dumps(KUBECONFIG)}, id="text"),
        pytest.param({"kube_config_path": "FILE"}, id="file"),
    ],
)
async def test_address_and_token_come_from_the_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extra: dict[str, Any]
) -> None:
    if "kube_config_path" in extra:
        (tmp_path / "config").write_text(json.dumps(KUBECONFIG))
        extra = {"kube_config_path": str(tmp_path / "config")}

    found = await connect(monkeypatch, **extra, cluster_context="b").configuration()

    assert found.host == "https://two.example:6443"
    assert (await found.auth_settings())["BearerToken"]["value"] == "Bearer hush-hush"
    assert found.verify_ssl is True


async def test_verification_is_switched_off_for_this_connection_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lax = await connect(monkeypatch, kube_config=KUBECONFIG, disable_verify_ssl="true").configuration()
    strict = await connect(monkeypatch, kube_config=KUBECONFIG).configuration()

    assert (lax.verify_ssl, strict.verify_ssl) == (False, True)


async def test_outside_a_pod_in_cluster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(ConnectionFaultError, match=r"connection 'k8s': .*Service host/port is not set"):
        await connect(monkeypatch, in_cluster=True).configuration()


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        pytest.param("{'users: [hush-hush", ConnectionFaultError, "no JSON object", id="no JSON"),
        pytest.param("hush-hush", ConnectionFaultError, "no JSON object", id="a bare text"),
        pytest.param(
            {**KUBECONFIG, "current-context": "z"},
            ConnectionFaultError,
            "object with name z",
            id="no such context",
        ),
        pytest.param(
            with_user(**{"auth-provider": {"name": "oidc", "config": {"refresh-token": "hush-hush"}}}),
            ConnectionFaultError,
            "Expected key client-id",
            id="a user that lacks something",
        ),
        pytest.param(
            with_user(token="hush-hush", exec={"command": "/no/such/plugin", "apiVersion": "v1"}),
            ClusterUnauthorizedError,
            "/no/such/plugin",
            id="a plug-in that is not there",
        ),
        pytest.param(
            with_user(token="hush-hush", exec={"command": "false", "apiVersion": "v1"}),
            ClusterUnauthorizedError,
            "process returned 1",
            id="a plug-in that fails",
        ),
    ],
)
@pytest.mark.parametrize(
    "in_file", [pytest.param(False, id="in the connection"), pytest.param(True, id="in a file")]
)
async def test_a_kubeconfig_that_cannot_be_used_is_explained_without_its_secrets(
    tmp_path: Path, content: Any, kind: type[CdProviderError], said: str, in_file: bool
) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "config").write_text(text)
    login = (
        ClusterLogin(kube_config_path=str(tmp_path / "config")) if in_file else ClusterLogin(kube_config=text)
    )

    with pytest.raises(kind, match="connection 'k8s'") as caught:
        await load(login, conn_id="k8s")

    assert in_file or said in str(caught.value)
    assert "hush" not in "".join(traceback.format_exception(caught.value))


async def test_a_kubeconfig_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionFaultError, match="'/no/such/config' is no file"):
        await connect(monkeypatch, kube_config_path="/no/such/config").configuration()


EXEC = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {"token": "new"}}
GCLOUD = {"credential": {"access_token": "new", "token_expiry": "2040-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    "user",
    [
        pytest.param(
            {"exec": {"command": "echo", "args": [json.dumps(EXEC)], "apiVersion": EXEC["apiVersion"]}},
            id="a plug-in",
        ),
        pytest.param(
            {
                "auth-provider": {
                    "name": "gcp",
                    "config": {"cmd-path": "echo", "cmd-args": f"'{json.dumps(GCLOUD)}'"},
                }
            },
            id="an old provider, whose token other clients would write into the file",
        ),
    ],
)
async def test_a_program_may_give_the_token_and_the_kubeconfig_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: dict[str, Any]
) -> None:
    file = tmp_path / "config"
    file.write_text(json.dumps(with_user(**user)))
    before = file.read_bytes()

    found = await connect(monkeypatch, kube_config_path=str(file)).configuration()

    assert (await found.auth_settings())["BearerToken"]["value"] == "Bearer new"
    assert file.read_bytes() == before
