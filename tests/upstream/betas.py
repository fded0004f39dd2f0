"""Kinds that 1.20 served only in a version that is none of Sampan's, and how one is asked in the words of the other.

The tests speak of the version that 1.33 serves; what goes to upstream's server is put into the beta's words, and what it
answers is put back.
"""

from __future__ import annotations

from typing import NamedTuple

from sampan.api.resource import Resource


class Beta(NamedTuple):
    """How a kind was served before."""

    group: str
    version: str
    """Ours."""
    before: str
    """Upstream's."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Fields' names, ours and upstream's."""

    def path(self, path: str) -> str:
        return path.replace(f"/apis/{self.group}/{self.version}", f"/apis/{self.group}/{self.before}", 1)

    def asked(self, body: bytes) -> bytes:
        for new, old in self._words():
            body = body.replace(new, old)
        return body

    def answered(self, body: bytes) -> bytes:
        for new, old in self._words():
            body = body.replace(old, new)
        return body

    def _words(self) -> list[tuple[bytes, bytes]]:
        names = [(f'"{prefix}{new}"', f'"{prefix}{old}"') for new, old in self.renamed for prefix in ("", "f:")]
        quoted = [(f'"{self.group}/{self.version}"', f'"{self.group}/{self.before}"')]
        # Causes name fields within paths.
        paths = [(f".{new}", f".{old}") for new, old in self.renamed]
        return [(new.encode(), old.encode()) for new, old in (*quoted, *names, *paths)]


BETAS = {
    ("batch", "v1", "cronjobs"): Beta("batch", "v1", "v1beta1"),
    ("policy", "v1", "poddisruptionbudgets"): Beta("policy", "v1", "v1beta1"),
    ("discovery.k8s.io", "v1", "endpointslices"): Beta(
        "discovery.k8s.io", "v1", "v1beta1", (("deprecatedTopology", "topology"),)
    ),
    ("autoscaling", "v2", "horizontalpodautoscalers"): Beta("autoscaling", "v2", "v2beta2"),
    ("flowcontrol.apiserver.k8s.io", "v1", "flowschemas"): Beta("flowcontrol.apiserver.k8s.io", "v1", "v1beta1"),
    ("flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations"): Beta(
        "flowcontrol.apiserver.k8s.io", "v1", "v1beta1", (("nominalConcurrencyShares", "assuredConcurrencyShares"),)
    ),
    ("storage.k8s.io", "v1", "csistoragecapacities"): Beta("storage.k8s.io", "v1", "v1alpha1"),
}
"""By group, version and plural."""


def beta_of(resource: Resource) -> Beta | None:
    return BETAS.get((resource.group, resource.version, resource.plural))
