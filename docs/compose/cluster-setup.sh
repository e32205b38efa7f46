#!/bin/sh
# The shop as its owner has it before any delivery, the gateway in front of it, and accounts that may do no more
# than they need. Everything here may be repeated.
set -eu
export KUBECONFIG=/tmp/admin.yaml
sed 's#https://127.0.0.1:6443#https://k3s:6443#' /kube/admin.yaml > "$KUBECONFIG"

# k3s installs Traefik, and with it the Gateway API's definitions, after it has begun to serve.
until kubectl wait --for=condition=Established --timeout=10s \
    crd/gateways.gateway.networking.k8s.io crd/httproutes.gateway.networking.k8s.io; do
  echo "waiting for the Gateway API"
  sleep 3
done

kubectl apply --server-side -f /setup/gateway.yaml
sed -e 's#\$namespace#shop#g' -e 's#\$image#registry:5000/shop:v1#g' -e 's#\$replicas#3#g' /setup/shop.yaml |
  kubectl apply --server-side -f -
kubectl apply --server-side -f /setup/accounts.yaml

cluster() { # an option of the admin's kubeconfig
  kubectl config view --raw --minify --flatten -o "jsonpath={.clusters[0].cluster.$1}"
}
cluster certificate-authority-data | base64 -d > /kube/ca.crt
kubectl create token prometheus -n cd-provider --duration=720h > /kube/prometheus.token
token=$(kubectl create token airflow -n cd-provider --duration=720h)
cat > /kube/airflow.yaml <<YAML
apiVersion: v1
kind: Config
current-context: demo
clusters:
  - name: demo
    cluster: {server: "https://k3s:6443", certificate-authority-data: $(cluster certificate-authority-data)}
contexts:
  - name: demo
    context: {cluster: demo, user: airflow, namespace: shop}
users:
  - name: airflow
    user: {token: $token}
YAML
# Airflow and Prometheus run as users of their own, which cannot be root's.
chmod 0644 /kube/ca.crt /kube/prometheus.token /kube/airflow.yaml
