"""The group storage.k8s.io, v1."""
