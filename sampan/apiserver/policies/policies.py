"""All ValidatingAdmissionPolicies that are bound, compiled when they change."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.resource import Tree
from sampan.apiserver.context import Context
from sampan.apiserver.policies.policy import Program
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.webhooks.configurations import GROUP, outdate
from sampan.apiserver.webhooks.equivalents import Equivalents
from sampan.apiserver.webhooks.matching import Criteria, Index


class Binding:
    """`criteria` hold beside those of the policy."""

    def __init__(self, tree: Tree) -> None:
        spec: Tree = tree.get("spec") or {}
        matching: Tree = spec.get("matchResources") or {}
        self.name: str = tree["metadata"]["name"]
        self.policy: str = spec.get("policyName", "")
        self.criteria = Criteria(matching, matching.get("resourceRules") or None, matching.get("excludeResourceRules") or ())
        self.param_reference: Tree | None = spec.get("paramRef")
        self.actions: Sequence[str] = spec.get("validationActions") or ()


class Policy:
    def __init__(self, tree: Tree, index: Index[Binding]) -> None:
        spec: Tree = tree.get("spec") or {}
        matching: Tree = spec.get("matchConstraints") or {}
        self.name: str = tree["metadata"]["name"]
        self.criteria = Criteria(matching, matching.get("resourceRules") or None, matching.get("excludeResourceRules") or ())
        self.param_kind: Tree | None = spec.get("paramKind")
        self.program = Program(spec)
        self.bindings = index


class Policies:
    def __init__(self, context: Context, equivalents: Equivalents) -> None:
        self._scheme = context.scheme
        self._equivalents = equivalents
        self._policies = context.registry(GROUP, "validatingadmissionpolicies").cache
        self._bindings = context.registry(GROUP, "validatingadmissionpolicybindings").cache
        self._index: Index[Policy] = Index(context.scheme, equivalents)
        self._compiled: dict[str, tuple[CachedObject, Policy]] = {}
        self._outdated = True
        outdate(context, (self._policies, self._bindings), self._outdate)

    @property
    def index(self) -> Index[Policy]:
        """Of those that are bound, by name."""
        if self._outdated:
            self._refresh()
        return self._index

    def _outdate(self) -> None:
        self._outdated = True

    def _refresh(self) -> None:
        self._outdated = False
        bindings: dict[str, list[Binding]] = {}
        for obj in self._bindings.in_namespace(""):
            binding = Binding(obj.tree())
            bindings.setdefault(binding.policy, []).append(binding)
        before, self._compiled = self._compiled, {}
        for obj in self._policies.in_namespace(""):
            if obj.name in bindings:
                known = before.get(obj.name)
                policy = known[1] if known is not None and known[0] is obj else self._compile(obj)
                policy.bindings.replace(bindings[obj.name])
                self._compiled[obj.name] = (obj, policy)
        self._index.replace([policy for _, policy in self._compiled.values()])

    def _compile(self, obj: CachedObject) -> Policy:
        return Policy(obj.tree(), Index(self._scheme, self._equivalents))
