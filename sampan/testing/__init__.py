"""A real cluster inside a test: API server, controllers, scheduler, simulated nodes, in this process, in under a second.

    from sampan.testing import Cluster

    with Cluster(nodes=2) as cluster:
        cluster.apply("deployment.yaml")
        cluster.wait_for("deployment/web", "Available")
        print(cluster.kubeconfig)                  # for kubectl and every client library

Under pytest, ask for the fixture `cluster`. Everything is what a real cluster runs but for the containers: nodes are
simulated, pods become ready without a process behind them. Certificates, TLS and RBAC are on.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sampan.testing.cluster import Cluster, WaitTimeout

__all__ = ["Cluster", "WaitTimeout"]


def __getattr__(name: str) -> Any:
    """Imports on demand: pytest loads this package for its plugin in every run, also where no cluster is asked for."""
    if name in __all__:
        from sampan.testing import cluster

        return getattr(cluster, name)
    raise AttributeError(name)
