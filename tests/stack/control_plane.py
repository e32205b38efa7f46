"""etcd, API server, controllers and scheduler of the stack's Kubernetes."""

from __future__ import annotations

from tests.stack import certificates, settings
from tests.stack.build import binary
from tests.stack.processes import Program, ensure, program, system_binary

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def up() -> None:
    """Have the control plane serving. Loopback only; its certificates are made anew for each stack."""
    certificates.make()
    ensure(etcd())
    ensure(apiserver())
    ensure(controllers(), scheduler())


def etcd() -> Program:
    host = settings.HOST
    client, peer = f"http://{host}:{settings.ETCD_PORT}", f"http://{host}:{settings.ETCD_PEER_PORT}"
    argv = (
        system_binary("etcd"),
        f"--data-dir={settings.state_dir() / 'etcd'}",
        "--name=stack",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=stack={peer}",
        "--unsafe-no-fsync",  # nothing here outlives the machine
        "--logger=zap",
        "--log-level=warn",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=10m",
    )
    return program("etcd", argv)


def apiserver() -> Program:
    host, tls = settings.HOST, certificates.tls_file
    argv = (
        str(binary("kube")),
        "kube-apiserver",
        f"--etcd-servers=http://{host}:{settings.ETCD_PORT}",
        f"--bind-address={host}",
        f"--advertise-address={host}",
        f"--secure-port={settings.APISERVER_PORT}",
        "--endpoint-reconciler-type=none",  # else it refuses to advertise a loopback address
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={settings.SERVICE_SUBNET}",
        f"--client-ca-file={tls('ca.pem')}",
        f"--tls-cert-file={tls('apiserver.pem')}",
        f"--tls-private-key-file={tls('apiserver.key')}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={tls('ca.pem')}",
        f"--kubelet-client-certificate={tls('apiserver-kubelet.pem')}",
        f"--kubelet-client-key={tls('apiserver-kubelet.key')}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={tls('service-accounts.pem')}",
        f"--service-account-signing-key-file={tls('service-accounts.key')}",
        "--profiling=false",
    )
    return program("kube-apiserver", argv)


def controllers() -> Program:
    argv = (
        str(binary("kube")),
        "kube-controller-manager",
        f"--kubeconfig={settings.kubeconfig('kube-controller-manager')}",
        f"--bind-address={settings.HOST}",
        f"--secure-port={settings.CONTROLLERS_PORT}",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={certificates.tls_file('service-accounts.key')}",
        f"--root-ca-file={certificates.tls_file('ca.pem')}",
        "--leader-elect=false",
    )
    return program("kube-controller-manager", argv)


def scheduler() -> Program:
    argv = (
        str(binary("kube")),
        "kube-scheduler",
        f"--kubeconfig={settings.kubeconfig('kube-scheduler')}",
        f"--bind-address={settings.HOST}",
        f"--secure-port={settings.SCHEDULER_PORT}",
        "--leader-elect=false",
    )
    return program("kube-scheduler", argv)
