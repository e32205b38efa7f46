"""Paths of an API server that these tests ask for."""

MAPS = "/api/v1/namespaces/shop/configmaps"
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/shop"
