"""`pods/eviction`: a delete that asks the pod's disruption budget first.

After pkg/registry/core/pod/storage/eviction.go. A pod that serves nobody (pending, finished, being deleted) goes without a
question. Of any other the budget that selects it must allow a disruption: the count is taken down before the pod is deleted,
and the pod is named in the budget's status so that the disruption controller does not count it as healthy meanwhile.
https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec

from sampan.api.errors import CONFLICT, StatusError, bad_request, conflict, forbidden, too_many_requests
from sampan.api.groups.policy.poddisruptionbudget import (
    ALWAYS_ALLOW,
    DISRUPTION_ALLOWED,
    INSUFFICIENT_PODS,
    SUFFICIENT_PODS,
)
from sampan.api.groups.validation.selectors import matches
from sampan.api.resource import Tree
from sampan.apiserver.admission.chain import CREATE, Attributes
from sampan.apiserver.answers import dress, method_not_allowed
from sampan.apiserver.context import Context
from sampan.apiserver.negotiation import negotiate
from sampan.apiserver.registry.bodies import read_as
from sampan.apiserver.registry.deletion import delete
from sampan.apiserver.registry.generic import Caller
from sampan.apiserver.registry.metadata import timestamp
from sampan.apiserver.registry.options import DeleteOptions, delete_options, write_options
from sampan.apiserver.registry.updating import Change, Present
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.subresources.forms import EVICTION
from sampan.lib.clock import Clock
from sampan.lib.http import Answer, Handler, Request

_EVICTED = msgspec.json.encode({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
_VERSIONS = ("policy/v1", "policy/v1beta1")
_MOST_DISRUPTED = 2000
_TRIES = 20
_RETRY_SECONDS = 0.5
_RETRY_AFTER_SECONDS = 10
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_TARGET = {
    "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
}  # fmt: skip


def eviction(context: Context) -> Handler:
    async def evict(request: Request) -> Answer:
        if request.method != "POST":
            raise method_not_allowed()
        info: RequestInfo = request.attributes
        body = await _read(request, info)
        options = _options(body, request)
        pods = context.registry("", "pods")
        attributes = Attributes(
            CREATE, pods.resource, info.namespace, info.name, request.user, body, None, "eviction", options.dry_run,
            info.warnings, write_options(request.parameters(), "CreateOptions"), EVICTION,
        )  # fmt: skip
        await context.registries.admission.judge(attributes)
        await Eviction(context, info.namespace, info.name, options).run()
        return dress(request, _EVICTED, negotiate(request.headers.get("accept", "")), 201)

    return evict


async def _read(request: Request, info: RequestInfo) -> Tree:
    """Raises StatusError 400."""
    body = await read_as(request, "io.k8s.api.policy.v1.Eviction")
    version = body.get("apiVersion") or _VERSIONS[0]
    if version not in _VERSIONS:
        raise bad_request(f"the API version in the data ({version}) does not match the expected API version ({_VERSIONS[0]})")
    if (body.get("metadata") or {}).get("name", "") != info.name:
        raise bad_request("name in URL does not match name in Eviction object")
    return body


def _options(body: Tree, request: Request) -> DeleteOptions:
    """Those of the delete; a dry run can be asked for in the body or in the query. Raises StatusError 422."""
    options = delete_options(body.get("deleteOptions") or {}, {})
    asked = {"dryRun": [text]} if (text := request.parameters().get("dryRun")) else {}
    options.dry_run = delete_options(asked, {}).dry_run or options.dry_run
    return options


class Eviction:
    """Of one pod. Raises StatusError: 404; 409 for preconditions; 429 where the budget allows it not, or not yet."""

    def __init__(self, context: Context, namespace: str, name: str, options: DeleteOptions) -> None:
        self._pods = context.registry("", "pods")
        self._budgets = context.registry("policy", "poddisruptionbudgets")
        self._clock = context.clock
        self._namespace = namespace
        self._name = name
        self._options = options
        self._by = Caller(dry_run=options.dry_run)
        # The eviction was admitted; upstream makes what it does to the pod below admission.
        self._by_eviction = Caller(dry_run=options.dry_run, admits=False)

    async def run(self) -> None:
        # Who names a revision himself wants to hear of a conflict.
        tries = _TRIES if self._options.resource_version is None else 1
        guarded = await retried(self._clock, self._evict_unguarded, tries)
        if guarded is not None:
            await self._evict_guarded(guarded)

    async def _evict_unguarded(self) -> Tree | None:
        """Delete the pod if no budget can have anything against it; else return it."""
        await self._pods.feed.catch_up()
        pod = self._pods.get(self._namespace, self._name).tree()
        phase, deleting = pod.get("status", {}).get("phase"), "deletionTimestamp" in pod["metadata"]
        if phase not in ("Pending", "Succeeded", "Failed") and not deleting:
            return pod
        options = self._options
        if phase == "Pending" and not deleting and options.resource_version is None:
            # It must not have become one that counts meanwhile.
            options = replace(options, resource_version=pod["metadata"]["resourceVersion"])
        await self._delete(options)
        return None

    async def _evict_guarded(self, pod: Tree) -> None:
        budgets = self._budgets_of(pod)
        if len(budgets) > 1:
            raise StatusError(500, "", _SEVERAL)
        if not budgets:
            await self._delete(self._options)
            return
        (budget,) = budgets
        name: str = budget["metadata"]["name"]
        if _is_ready(pod) or not _lets_unready_go(budget):
            await retried(self._clock, lambda: self._take_disruption(name), _TRIES)
            await self._delete(self._options)
            return
        # Unready it does not count; but it must not have become ready since we looked.
        options = replace(self._options, resource_version=pod["metadata"]["resourceVersion"])
        try:
            await self._delete(options)
        except StatusError as error:
            if error.code != 409 or self._options.resource_version is not None:
                raise
            raise _still_processed(name) from None

    def _budgets_of(self, pod: Tree) -> list[Tree]:
        labels = pod["metadata"].get("labels", {})
        trees = [obj.tree() for obj in self._budgets.cache.in_namespace(self._namespace)]
        return [tree for tree in trees if _selects(tree.get("spec", {}).get("selector"), labels)]

    async def _take_disruption(self, name: str) -> None:
        def change(present: Present) -> Tree:
            budget = present.own()
            take_disruption(budget, self._name, timestamp(self._clock.now()))
            return budget

        await self._budgets.update(self._namespace, name, change, self._by, part=self._budgets.status, must_match=False)

    async def _delete(self, options: DeleteOptions) -> None:
        """Mark the pod as what it is, and delete it. What the options say of the pod must be true before either."""
        if not options.dry_run:
            part = self._pods.status._replace(tracked=False)  # upstream marks it beside the handlers that note owners
            change = self._mark(options)
            marked = await self._pods.update(
                self._namespace, self._name, change, self._by_eviction, part=part, must_match=False
            )
            if options.resource_version is not None:
                options = replace(options, resource_version=str(marked.revision))
        await delete(self._pods, self._namespace, self._name, options, self._by_eviction)

    def _mark(self, options: DeleteOptions) -> Change:
        def change(present: Present) -> Tree:
            pod = present.own()
            meta = pod["metadata"]
            _check(self._name, "UID", options.uid, meta.get("uid", ""), "The object might have been deleted and then recreated")
            revision = meta["resourceVersion"]
            _check(self._name, "ResourceVersion", options.resource_version, revision, "The object might have been modified")
            _set_condition(pod.setdefault("status", {}), _TARGET, timestamp(self._clock.now()))
            return pod

        return change


async def retried(clock: Clock, attempt: Callable[[], Awaitable[Any]], tries: int) -> Any:
    """What the attempt gives, tried again a little later when it loses a race."""
    for number in range(1, tries + 1):
        try:
            return await attempt()
        except StatusError as error:
            if error.reason != CONFLICT or number == tries:
                raise
        await clock.sleep(_RETRY_SECONDS)
    raise AssertionError("unreachable")


def take_disruption(budget: Tree, pod_name: str, now: str) -> None:
    """Take one of the disruptions that the budget allows. Raises StatusError 429, 403."""
    meta, status = budget["metadata"], budget.setdefault("status", {})
    name, allowed = meta["name"], status.get("disruptionsAllowed", 0)
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        raise _still_processed(name)
    if allowed < 0:
        raise forbidden("poddisruptionbudget", "policy", name, "pdb disruptions allowed is negative")
    disrupted = status.setdefault("disruptedPods", {})
    if len(disrupted) > _MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden("poddisruptionbudget", "policy", name, why)
    if allowed == 0:
        healthy = f"needs {status.get('desiredHealthy', 0)} healthy pods and has {status.get('currentHealthy', 0)} currently"
        raise _refused(f"The disruption budget {name} {healthy}", 0)
    status["disruptionsAllowed"] = allowed - 1
    if allowed == 1:
        set_disruption_allowed(status, now)
    disrupted[pod_name] = now


def set_disruption_allowed(status: Tree, now: str) -> None:
    """Make the condition say what disruptionsAllowed does."""
    allowed = status.get("disruptionsAllowed", 0) > 0
    condition = {
        "type": DISRUPTION_ALLOWED,
        "status": "True" if allowed else "False",
        "reason": SUFFICIENT_PODS if allowed else INSUFFICIENT_PODS,
        "message": "",
        "observedGeneration": status.get("observedGeneration", 0),
    }
    _set_condition(status, condition, now)


def _set_condition(status: Tree, fresh: Tree, now: str) -> None:
    """The time of a condition is when its status changed, whatever else did."""
    conditions: list[Tree] = status.setdefault("conditions", [])
    for condition in conditions:
        if condition.get("type") == fresh["type"]:
            if condition.get("status") != fresh["status"]:
                condition["lastTransitionTime"] = now
            condition.update(fresh)
            return
    conditions.append(fresh | {"lastTransitionTime": now})


def _check(name: str, what: str, wanted: str | None, found: str, perhaps: str) -> None:
    if wanted and wanted != found:
        why = f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). {perhaps}"
        raise conflict("Pod", "", name, why)


def _selects(selector: Tree | None, labels: Tree) -> bool:
    """No selector selects nothing, an empty one everything."""
    return selector is not None and matches(selector, labels)


def _is_ready(pod: Tree) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)


def _lets_unready_go(budget: Tree) -> bool:
    """By default an unready pod may go while enough others are healthy, that is while the application is not disrupted."""
    if budget.get("spec", {}).get("unhealthyPodEvictionPolicy") == ALWAYS_ALLOW:
        return True
    status = budget.get("status", {})
    current, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    return bool(current >= desired > 0)


def _refused(why: str, retry_seconds: int) -> StatusError:
    error = too_many_requests(_VIOLATES, retry_seconds)
    error.details["causes"] = [{"reason": "DisruptionBudget", "message": why}]
    return error


def _still_processed(name: str) -> StatusError:
    return _refused(f"The disruption budget {name} is still being processed by the server.", _RETRY_AFTER_SECONDS)
