"""Decoders of the same structs, made in several threads."""

from __future__ import annotations

import subprocess
import sys

READERS = """
import sys, threading
from sampan.api.schema import schema_of
from sampan.api.types import apps_v1, batch_v1, core_v1
from sampan.client.codec import Listed, decode

sys.setswitchinterval(1e-6)  # each thread does but a little in its turn
BODY = b'{"items":[{"spec":{"containers":[{"name":"c"}],"template":{"spec":{"containers":[{"name":"c"}]}}}}]}'
TYPED = (core_v1.Pod, core_v1.PodTemplate, core_v1.ReplicationController, apps_v1.Deployment, apps_v1.DaemonSet,
         apps_v1.ReplicaSet, apps_v1.StatefulSet, batch_v1.Job, batch_v1.CronJob)
TREES = ("core.v1.Pod", "core.v1.PodTemplate", "apps.v1.Deployment", "apps.v1.StatefulSet", "batch.v1.Job")
work = [lambda kind=kind: decode(Listed[kind], BODY) for kind in TYPED]
work += [lambda name=name: schema_of("io.k8s.api." + name).admit_tree({"spec": {}}) for name in TREES]
start = threading.Barrier(len(work))

def run(read):
    start.wait()
    for _ in range(3):
        read()

threads = [threading.Thread(target=run, args=(read,)) for read in work]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("whole")
"""


def test_threads_may_read_related_kinds_for_the_first_time_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", READERS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "whole\n", "")
