"""Sampan: Kubernetes written in Python."""

__version__ = "0.1.0"

KUBERNETES_MAJOR = "1"
KUBERNETES_MINOR = "33"
GIT_VERSION = f"v{KUBERNETES_MAJOR}.{KUBERNETES_MINOR}.0+sampan{__version__}"
