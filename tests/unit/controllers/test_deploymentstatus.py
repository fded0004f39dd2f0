from __future__ import annotations

from sampan.api.types.apps_v1 import Deployment, DeploymentStatus
from sampan.controllers import deploymentstatus as progress
from sampan.lib.clock import rfc3339
from tests.unit.controllers.objects import NOW, deployment, replica_set


def condition(status: DeploymentStatus, type: str) -> tuple[str, str, str]:
    found = progress.get_condition(status.conditions, type)
    return (found.status, found.reason, found.message) if found is not None else ("", "", "")


def rolling(replicas: int = 4) -> Deployment:
    """In mid-rollout: it has made its new set."""
    d = deployment(replicas, progressDeadlineSeconds=600)
    made = progress.make_condition("Progressing", "True", "NewReplicaSetCreated", "Created", NOW - 100)
    d.status = DeploymentStatus(replicas=replicas, updatedReplicas=0, availableReplicas=replicas, conditions=[made])
    return d


def test_counts_sum_over_the_sets() -> None:
    new, old = replica_set("new", 2, available=1), replica_set("old", 3, available=3)
    status = progress.plan_counts(deployment(4), [new, old], new, NOW)
    counts = (status.replicas, status.updatedReplicas, status.availableReplicas, status.unavailableReplicas)
    assert counts == (5, 2, 4, 1)
    assert status.observedGeneration == 1


def test_availability_is_what_max_unavailable_allows() -> None:
    d = deployment(4, 1, 1)
    enough = progress.plan_counts(d, [replica_set("a", 4, available=3)], None, NOW)
    assert condition(enough, "Available") == ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    few = progress.plan_counts(d, [replica_set("a", 4, available=2)], None, NOW)
    assert condition(few, "Available") == (
        "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.",
    )  # fmt: skip


def test_a_move_is_progress_and_restarts_the_deadline() -> None:
    new, old = replica_set("new", 1, available=0), replica_set("old", 4)
    status = progress.plan_progress(rolling(), [new, old], new, NOW)
    assert condition(status, "Progressing") == ("True", "ReplicaSetUpdated", 'ReplicaSet "new" is progressing.')
    (found,) = [c for c in status.conditions if c.type == "Progressing"]
    assert (found.lastUpdateTime, found.lastTransitionTime) == (rfc3339(NOW), rfc3339(NOW - 100))


def test_no_move_for_the_deadline_is_a_failure_and_stays_one() -> None:
    d = rolling()
    new, old = replica_set("new", 0), replica_set("old", 4)
    waiting = progress.plan_progress(d, [new, old], new, NOW + 400)
    assert condition(waiting, "Progressing")[1] == "NewReplicaSetCreated"
    assert progress.recheck_after_seconds(d, waiting, NOW + 400) == 101.0
    late = progress.plan_progress(d, [new, old], new, NOW + 501)
    expected = ("False", "ProgressDeadlineExceeded", 'ReplicaSet "new" has timed out progressing.')
    assert condition(late, "Progressing") == expected
    assert progress.recheck_after_seconds(d, late, NOW + 501) is None


def test_a_finished_rollout_says_so_and_stays_so_when_pods_die_later() -> None:
    d = rolling()
    new = replica_set("new", 4)
    d.status = progress.plan_progress(d, [new], new, NOW)
    done = ("True", "NewReplicaSetAvailable", 'ReplicaSet "new" has successfully progressed.')
    assert condition(d.status, "Progressing") == done
    new.status.availableReplicas = 1
    d.status = progress.plan_progress(d, [new], new, NOW + 10_000)
    assert condition(d.status, "Progressing") == done


def test_without_a_deadline_there_is_no_progressing_condition() -> None:
    d = rolling()
    d.spec.progressDeadlineSeconds = 2**31 - 1
    status = progress.plan_progress(d, [], None, NOW)
    assert condition(status, "Progressing") == ("", "", "")


def test_the_new_sets_failure_is_the_deployments() -> None:
    new = replica_set("new", 4, current=0)
    new.status.conditions = [
        progress.make_condition("ReplicaFailure", "True", "FailedCreate", "no room", NOW)  # type: ignore[list-item]
    ]
    d = rolling()
    d.status = progress.plan_progress(d, [new], new, NOW)
    assert condition(d.status, "ReplicaFailure") == ("True", "FailedCreate", "no room")
    new.status.conditions = []
    assert condition(progress.plan_progress(d, [new], new, NOW), "ReplicaFailure") == ("", "", "")


def test_pausing_stops_the_clock_and_resuming_starts_it_anew() -> None:
    d = rolling()
    assert progress.plan_paused(d, NOW) is None
    d.spec.paused = True
    d.status.conditions = progress.plan_paused(d, NOW) or []
    assert condition(d.status, "Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
    assert progress.plan_paused(d, NOW) is None
    d.spec.paused = False
    d.status.conditions = progress.plan_paused(d, NOW + 60) or []
    assert condition(d.status, "Progressing") == ("Unknown", "DeploymentResumed", "Deployment is resumed")
