"""The group apiextensions.k8s.io, v1."""
