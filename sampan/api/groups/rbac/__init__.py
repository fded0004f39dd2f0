"""The group rbac.authorization.k8s.io, v1."""
