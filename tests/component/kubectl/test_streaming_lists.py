"""kubectl with client-go's streaming lists (WatchListClient): it waits on informers that a watch fills from the beginning."""

from __future__ import annotations

import os

from tests.component.kubectl.conftest import SECONDS, Kubectl

STREAMING_SINCE = 31
"""Older ones do not know the feature, or not for what has no Go type."""
FEATURE = {**os.environ, "KUBE_FEATURE_WatchListClient": "true"}


def test_waiting_streams_what_is_there_and_what_comes(every_kubectl: Kubectl) -> None:
    kubectl = every_kubectl
    kubectl.ok("create", "deployment", "web", "--image=app:1", "--replicas=2")
    waits: list[tuple[tuple[str, ...], str]] = [
        (("rollout", "status", "deployment/web", "--timeout=30s"), "successfully rolled out"),
        (("wait", "deployment/web", "--for=condition=Available", "--timeout=30s"), "condition met"),
        (("wait", "pods", "--selector=app=web", "--for=condition=Ready", "--timeout=30s"), "condition met"),
        (("wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=2", "--timeout=30s"), "condition met"),
    ]
    for words, told in waits:
        result = kubectl(*words, "-v=6", env=FEATURE)
        assert result.code == 0 and told in result.out
        streamed = "sendInitialEvents=true" in result.err
        assert streamed == (kubectl.minor >= STREAMING_SINCE), result.err
        assert "falling back" not in result.err


def test_waiting_for_the_end_streams_too(every_kubectl: Kubectl) -> None:
    kubectl = every_kubectl
    kubectl.ok("create", "configmap", "doomed")
    kubectl.ok("patch", "configmap", "doomed", "--type=merge", '--patch={"metadata":{"finalizers":["example.com/wait"]}}')
    kubectl.ok("delete", "configmap", "doomed", "--wait=false")
    waiting = kubectl.start("wait", "configmap/doomed", "--for=delete", "--timeout=30s", "-v=6", env=FEATURE)
    assert waiting.stderr is not None
    looked = next(line for line in waiting.stderr if "watch=true" in line)
    kubectl.ok("patch", "configmap", "doomed", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
    out, err = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == 0 and "condition met" in out and "falling back" not in err
    assert ("sendInitialEvents=true" in looked) == (kubectl.minor >= STREAMING_SINCE)


def test_a_watch_begins_with_what_is_there(every_kubectl: Kubectl) -> None:
    kubectl = every_kubectl
    for name in ("a", "b"):
        kubectl.ok("create", "configmap", name, "--from-literal=x=1")
    watching = kubectl.start("get", "configmaps", "--watch", "--output=name", env=FEATURE)
    try:
        assert watching.stdout is not None
        seen = {watching.stdout.readline().strip() for _ in range(3)}
        assert seen == {"configmap/a", "configmap/b", "configmap/kube-root-ca.crt"}
        kubectl.ok("create", "configmap", "c")
        assert watching.stdout.readline().strip() == "configmap/c"
    finally:
        watching.kill()
        watching.communicate()
