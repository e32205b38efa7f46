#!/bin/bash
# Once per volume: the keys that all parts of Airflow share. Each time: tables and connections.
set -euo pipefail
umask 077
cd /opt/airflow/keys

key() { # name, Python expression
  [ -s "$1" ] || python -c "import base64, os, secrets; print($2, end='')" > "$1"
}
key fernet 'base64.urlsafe_b64encode(os.urandom(32)).decode()'
key jwt 'secrets.token_urlsafe(64)'
key api 'secrets.token_urlsafe(32)'

airflow db migrate

connection() { # name, JSON
  airflow connections delete "$1" > /dev/null 2>&1 || true
  airflow connections add "$1" --conn-json "$2"
}
connection kubernetes_default '{"conn_type": "kubernetes", "extra": {"kube_config_path": "/kube/airflow.yaml"}}'
connection registry_default \
  '{"conn_type": "oci_registry", "host": "registry:5000", "extra": {"insecure_http": true}}'
connection prometheus_default '{"conn_type": "prometheus", "host": "prometheus", "port": 9090}'
