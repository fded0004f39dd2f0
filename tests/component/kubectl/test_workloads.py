"""Jobs, cron jobs, stateful and daemon sets, autoscalers and budgets, as kubectl makes, shows and changes them."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.component.kubectl.conftest import Kubectl
from tests.component.kubectl.test_generators import at

SETS = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: "x:1"}]}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template: {metadata: {labels: {app: agent}}, spec: {nodeSelector: {a: b}, containers: [{name: c, image: "x:1"}]}}
"""

GENERATED: list[tuple[str, str, dict[str, Any]]] = [
    ("job pi --image=x:1 -- true", "job.batch/pi",
     {"spec.completions": 1, "spec.backoffLimit": 6, "spec.template.spec.restartPolicy": "Never"}),
    ("cronjob tick --image=x:1 --schedule=*/5_*_*_*_*", "cronjob.batch/tick",
     {"spec.concurrencyPolicy": "Allow", "spec.jobTemplate.spec.template.spec.restartPolicy": "OnFailure"}),
    ("job now --from=cronjob/tick", "job.batch/now", {"metadata.annotations": {"cronjob.kubernetes.io/instantiate": "manual"}}),
    ("pdb few --selector=app=web --min-available=1", "poddisruptionbudget.policy/few", {"spec.minAvailable": 1}),
    ("pdb most --selector=app=db --max-unavailable=10%", "poddisruptionbudget.policy/most", {"spec.maxUnavailable": "10%"}),
]  # fmt: skip


def tree(kubectl: Kubectl, name: str) -> Any:
    return json.loads(kubectl.ok("get", name, "-o", "json"))


def headers(text: str) -> str:
    return re.sub(r"\s{2,}", "|", text.splitlines()[0].strip())


def test_what_kubectl_generates_is_created(every_kubectl: Kubectl) -> None:
    for command, name, fields in GENERATED:
        words = [word.replace("_", " ") for word in command.split()]
        assert every_kubectl.ok("create", *words) == f"{name} created\n"
        for path, value in fields.items():
            assert at(tree(every_kubectl, name), path) == value, (command, path)
    uid = tree(every_kubectl, "job/pi")["metadata"]["uid"]
    labels = tree(every_kubectl, "job/pi")["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/controller-uid"] == uid
    every_kubectl.ok("create", "deploy", "web", "--image=x:1")
    said = every_kubectl.ok("autoscale", "deploy", "web", "--min=1", "--max=3", "--cpu-percent=50")
    assert said == "horizontalpodautoscaler.autoscaling/web autoscaled\n"
    hpa = tree(every_kubectl, "horizontalpodautoscalers.v2.autoscaling/web")
    assert at(hpa, "spec.metrics.0.resource.target") == {"type": "Utilization", "averageUtilization": 50}
    old = tree(every_kubectl, "horizontalpodautoscalers.v1.autoscaling/web")
    assert (old["apiVersion"], old["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 50)


def test_a_schedule_that_is_none_is_refused_in_upstreams_words(kubectl: Kubectl) -> None:
    complaint = kubectl.error("create", "cronjob", "bad", "--image=x:1", "--schedule=x")
    assert complaint.endswith(
        'CronJob.batch "bad" is invalid: spec.schedule: Invalid value: "x": expected exactly 5 fields, found 1: [x]'
    )


WIDE = {
    "sts": "NAME|READY|AGE|CONTAINERS|IMAGES",
    "ds": "NAME|DESIRED|CURRENT|READY|UP-TO-DATE|AVAILABLE|NODE SELECTOR|AGE|CONTAINERS|IMAGES|SELECTOR",
    "jobs": "NAME|STATUS|COMPLETIONS|DURATION|AGE|CONTAINERS|IMAGES|SELECTOR",
    "cj": "NAME|SCHEDULE|TIMEZONE|SUSPEND|ACTIVE|LAST SCHEDULE|AGE|CONTAINERS|IMAGES|SELECTOR",
    "hpa": "NAME|REFERENCE|TARGETS|MINPODS|MAXPODS|REPLICAS|AGE",
    "pdb": "NAME|MIN AVAILABLE|MAX UNAVAILABLE|ALLOWED DISRUPTIONS|AGE",
}
DESCRIBED = {
    "sts": ("Update Strategy:    RollingUpdate", "Replicas:           1 desired | 0 total"),
    "ds": ("Node-Selector:  a=b", "deprecated.daemonset.template.generation: 1"),
    "jobs": ("Completion Mode:", "Pods Statuses:"),
    "cj": ("Schedule:                      */5 * * * *", "Concurrency Policy:            Allow"),
    "hpa": ("resource cpu on pods  (as a percentage of request):  <unknown> / 80%", "Max replicas:"),
    "pdb": ("Allowed disruptions:", "Min available:  1"),
}


def make_all(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", input=SETS)
    kubectl.ok("create", "job", "pi", "--image=x:1")
    kubectl.ok("create", "cronjob", "tick", "--image=x:1", "--schedule=*/5 * * * *")
    kubectl.ok("create", "pdb", "few", "--selector=app=db", "--min-available=1")
    kubectl.ok("autoscale", "sts", "db", "--max=3")


def test_they_are_listed_and_described(kubectl: Kubectl) -> None:
    make_all(kubectl)
    for kind, wide in WIDE.items():
        assert headers(kubectl.ok("get", kind, "-o", "wide")) == wide, kind
        text = kubectl.ok("describe", kind)
        for line in DESCRIBED[kind]:
            assert line in text, (kind, text)
    everything = kubectl.ok("get", "all", "-o", "name").split()
    assert {name.partition("/")[0] for name in everything} >= {
        "statefulset.apps", "daemonset.apps", "job.batch", "cronjob.batch", "horizontalpodautoscaler.autoscaling",
    }  # fmt: skip


def test_they_are_changed(kubectl: Kubectl) -> None:
    make_all(kubectl)
    assert kubectl.ok("apply", "-f", "-", input=SETS) == "statefulset.apps/db unchanged\ndaemonset.apps/agent unchanged\n"
    assert kubectl.ok("scale", "statefulset", "db", "--replicas=3") == "statefulset.apps/db scaled\n"
    assert tree(kubectl, "sts/db")["spec"]["replicas"] == 3
    assert kubectl.ok("set", "image", "ds/agent", "c=x:2") == "daemonset.apps/agent image updated\n"
    assert kubectl.ok("rollout", "restart", "ds/agent") == "daemonset.apps/agent restarted\n"
    annotations = tree(kubectl, "ds/agent")["metadata"]["annotations"]
    assert annotations["deprecated.daemonset.template.generation"] == "3"
    kubectl.ok("patch", "cronjob", "tick", "-p", '{"spec":{"suspend":true,"timeZone":"Europe/Zurich"}}')
    assert " Europe/Zurich   True " in kubectl.ok("get", "cj", "tick")
    immutable = kubectl.error("patch", "sts", "db", "-p", '{"spec":{"podManagementPolicy":"Parallel"}}')
    assert "spec: Forbidden: updates to statefulset spec for fields other than 'replicas'" in immutable
    assert kubectl.ok("get", "jobs", "--field-selector=status.successful=0", "-o", "name") == "job.batch/pi\n"
    assert kubectl.ok("delete", "job", "pi") == 'job.batch "pi" deleted\n'


REVISION = """
apiVersion: apps/v1
kind: ControllerRevision
metadata:
  name: db-%d
  labels: {app: db}
  annotations: {kubernetes.io/change-cause: "change %d"}
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: %s, controller: true}]
revision: %d
data: {spec: {template: {$patch: replace, metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: "x:%d"}]}}}}
"""


def test_the_history_of_a_stateful_set_is_shown(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", input=SETS)
    uid = tree(kubectl, "sts/db")["metadata"]["uid"]
    for number in (1, 2):
        kubectl.ok("create", "-f", "-", input=REVISION % (number, number, uid, number, number))
    shown = kubectl.ok("rollout", "history", "sts/db").split("\n")
    assert [line.split(None, 1) for line in shown[1:4]] == [
        ["REVISION", "CHANGE-CAUSE"], ["1", "change 1"], ["2", "change 2"],
    ]  # fmt: skip
    assert "Image:	x:1" in re.sub(" {2,}", "", kubectl.ok("rollout", "history", "sts/db", "--revision=1"))
    assert kubectl.ok("rollout", "undo", "sts/db", "--to-revision=2") == "statefulset.apps/db rolled back\n"
    assert tree(kubectl, "sts/db")["spec"]["template"]["spec"]["containers"][0]["image"] == "x:2"
