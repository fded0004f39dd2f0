"""Which mutating webhooks are called a second time: those that ask for it, where somebody changed the object after they saw it.

After k8s.io/apiserver/pkg/admission/plugin/webhook/mutating/reinvocationcontext.go.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#reinvocation-policy
"""

from __future__ import annotations

from sampan.api.resource import Tree


class Reinvocation:
    """Of one write. Webhooks are known by their uids."""

    def __init__(self) -> None:
        self.last_output: Tree | None = None
        """The object as the webhooks left it in the first round."""
        self._invoked: set[str] = set()
        self._due: set[str] = set()

    def note(self, uid: str) -> None:
        """A webhook that wants to hear of later changes was called."""
        self._invoked.add(uid)

    def changed(self) -> None:
        """The object is not what those saw that were called before."""
        self._due |= self._invoked
        self._invoked.clear()

    def is_due(self, uid: str) -> bool:
        return uid in self._due
