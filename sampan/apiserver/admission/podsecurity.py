"""PodSecurity: the labels of a namespace say how dangerous its pods may be.

Pods that are more so are refused, and what makes pods is warned of those it would make. After
k8s.io/pod-security-admission/admission, with the defaults of kube-apiserver: nothing is enforced unless a label says so.
https://kubernetes.io/docs/concepts/security/pod-security-admission/
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from sampan.api.errors import invalid_object
from sampan.api.podsecurity import PRIVILEGED, LevelVersion, Policy, evaluate, policy_of
from sampan.api.podsecurity.policy import LABEL_PREFIX
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes, Judge
from sampan.apiserver.admission.configuration import PodSecuritySettings
from sampan.apiserver.admission.indexes import CacheIndex
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.lib.clock import Clock

_TEMPLATES: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "replicationcontrollers"): ("spec", "template"),
    ("", "podtemplates"): ("template",),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
}
_IGNORED = frozenset(("exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"))
"""Subresources of pods that change nothing of the spec."""
_MOST_PODS = 3000
_SECONDS = 1.0
_AT_ONCE = 50


class PodSecurity(Judge):
    name = "PodSecurity"

    def __init__(self, namespaces: WatchCache, pods: WatchCache, clock: Clock, settings: PodSecuritySettings) -> None:
        self._policies = CacheIndex(namespaces, self._read)
        self._settings = settings
        self._pods = pods
        self._clock = clock

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        if operation not in (CREATE, UPDATE):
            return False
        kind = (resource.group, resource.plural)
        if kind == ("", "pods"):
            return subresource not in _IGNORED
        return not subresource and (kind == ("", "namespaces") or kind in _TEMPLATES)

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        kind = (attributes.resource.group, attributes.resource.plural)
        if kind == ("", "namespaces"):
            return self._validate_namespace(attributes)
        policy = self._policies.at().get(attributes.namespace)
        if policy is None or attributes.object is None or attributes.user.name in self._settings.users:
            return None
        if kind == ("", "pods"):
            if not self._is_exempt(attributes.object):
                _validate_pod(attributes, policy, attributes.object)
        elif (template := _find(attributes.object, _TEMPLATES[kind])) is not None and not self._is_exempt(template):
            _warn(attributes, policy, template)
        return None

    def _is_exempt(self, pod: Tree) -> bool:
        return (
            bool(self._settings.runtime_classes)
            and (pod.get("spec") or {}).get("runtimeClassName") in self._settings.runtime_classes
        )

    def _read(self, obj: CachedObject) -> Policy | None:
        """None: everything goes, as in most namespaces."""
        if obj.name in self._settings.namespaces:
            return None
        policy, _ = policy_of(obj.labels or {}, self._settings.defaults)
        return policy if (policy.enforce.level, policy.warn.level) != (PRIVILEGED, PRIVILEGED) else None

    def _validate_namespace(self, attributes: Attributes) -> Awaitable[None] | None:
        assert attributes.object is not None, "creates and updates have an object"
        defaults = self._settings.defaults
        policy, errors = policy_of(_labels(attributes.object), defaults)
        before, known = policy_of(_labels(attributes.old), defaults) if attributes.old is not None else (defaults, [])
        if errors and errors != known:
            resource = attributes.resource
            raise invalid_object(resource.kind, resource.group, attributes.name, errors)
        wanted, had = policy.enforce, before.enforce
        is_exempt = attributes.name in self._settings.namespaces
        if attributes.operation != CREATE:
            if wanted == had or wanted.level == PRIVILEGED:
                return None
            if wanted.minor == had.minor and not wanted.is_stricter_than(had):
                return None
            if not is_exempt:
                return self._warn_of_pods(attributes, wanted)
        if is_exempt and not policy.is_lenient and policy != defaults:
            attributes.warnings.append(_ignored(attributes.name, policy, _labels(attributes.object)))
        return None

    async def _warn_of_pods(self, attributes: Attributes, wanted: LevelVersion) -> None:
        """Pods that are there already stay, but their like could not be made again."""
        objects = self._pods.in_namespace(attributes.name)
        survey = _Survey(wanted)
        deadline = self._clock.monotonic() + _SECONDS
        alike: list[CachedObject] = []
        for index, obj in enumerate(objects):
            tree = obj.tree()
            if survey.knows_like(tree):
                alike.append(obj)
            else:
                survey.look_at(tree)
            if await self._is_late(index, deadline) or survey.checked == _MOST_PODS:
                break
        for index, obj in enumerate(alike[: _MOST_PODS - survey.checked]):
            if await self._is_late(index, deadline):
                break
            survey.look_at(obj.tree())
        attributes.warnings += survey.told(attributes.name, len(objects))

    async def _is_late(self, index: int, deadline: float) -> bool:
        if index % _AT_ONCE == 0:
            await asyncio.sleep(0)  # the server has others to serve
        return self._clock.monotonic() > deadline


class _Survey:
    """What pods violate of a level. One of each controller comes first: the others are like it."""

    def __init__(self, wanted: LevelVersion) -> None:
        self.checked = 0
        self._wanted = wanted
        self._controllers: set[str] = set()
        self._found: dict[str, list[str]] = {}

    def knows_like(self, pod: Tree) -> bool:
        owners = pod["metadata"].get("ownerReferences") or ()
        uid = next((owner.get("uid", "") for owner in owners if owner.get("controller")), None)
        if uid is None:
            return False
        known = uid in self._controllers
        self._controllers.add(uid)
        return known

    def look_at(self, pod: Tree) -> None:
        self.checked += 1
        verdict = evaluate(self._wanted, pod["metadata"], pod["spec"])
        if not verdict.allowed:
            self._found.setdefault(verdict.reason, []).append(pod["metadata"]["name"])

    def told(self, namespace: str, total: int) -> list[str]:
        warnings: list[str] = []
        if self.checked < total:
            done = f"{self.checked} of {total}"
            warnings.append(f"new PodSecurity enforce level only checked against the first {done} existing pods")
        if self._found:
            level = f'the new PodSecurity enforce level "{self._wanted}"'
            warnings.append(f'existing pods in namespace "{namespace}" violate {level}')
        return warnings + sorted(f"{_pods(names)}: {reason}" for reason, names in self._found.items())


def _pods(names: Sequence[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other pod{'s' if others > 1 else ''})"


def _ignored(namespace: str, policy: Policy, labels: dict[str, str]) -> str:
    said = [
        f"{mode}={level}"
        for mode, level in (("enforce", policy.enforce), ("audit", policy.audit), ("warn", policy.warn))
        if level.level != PRIVILEGED and (LABEL_PREFIX + mode in labels or f"{LABEL_PREFIX}{mode}-version" in labels)
    ]
    return f'namespace "{namespace}" is exempt from Pod Security, and the policy ({", ".join(said)}) will be ignored'


def _labels(tree: Tree) -> dict[str, str]:
    return tree["metadata"].get("labels") or {}


def _find(tree: Tree, path: Sequence[str]) -> Tree | None:
    found: Tree | None = tree
    for name in path:
        if found is None:
            return None
        found = found.get(name)
    return found


def _validate_pod(attributes: Attributes, policy: Policy, pod: Tree) -> None:
    if attributes.old is not None and not _is_significant(pod["spec"], attributes.old["spec"]):
        return
    verdict = evaluate(policy.enforce, pod["metadata"], pod["spec"])
    if not verdict.allowed:
        raise attributes.refused(f'violates PodSecurity "{policy.enforce}": {verdict.detail}')
    if policy.warn != policy.enforce:
        _warn(attributes, policy, pod)


def _warn(attributes: Attributes, policy: Policy, template: Tree) -> None:
    verdict = evaluate(policy.warn, template.get("metadata") or {}, template.get("spec") or {})
    if not verdict.allowed:
        attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {verdict.detail}')


def _is_significant(spec: Tree, before: Tree) -> bool:
    """Whether an update of a pod changes what is run in it; all else that can be updated is of no danger."""
    for field in ("containers", "initContainers"):
        new, old = spec.get(field) or (), before.get(field) or ()
        if [container.get("image") for container in new] != [container.get("image") for container in old]:
            return True
    old_images = {c.get("name"): c.get("image", "") for c in before.get("ephemeralContainers") or ()}
    return any(old_images.get(c.get("name")) != c.get("image", "") for c in spec.get("ephemeralContainers") or ())
