"""Real kubectls against one cluster in this process; each test has a namespace of its own.

def test_a_config_map_is_made(kubectl: Kubectl) -> None:
    assert kubectl.ok("create", "cm", "a") == "configmap/a created\\n"

`kubectl` comes in the oldest and the newest version found beside the one on the PATH, `every_kubectl` in all of them. What
these tests expect is worded by kubectl itself, and differently by those older than 1.27, such as Debian 12's: they are skipped.
"""

from __future__ import annotations

import functools
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sampan.testing import Cluster

SECONDS = 60
OLDEST_MINOR = 27
_numbers = itertools.count(1)


def kubectls() -> list[str]:
    """The one on the PATH, and those of other versions beside it, oldest first."""
    found = shutil.which("kubectl")
    if found is None:
        return []
    beside = Path(found).resolve().parent.glob("kubectl.1.*")
    return [str(path) for path in sorted(beside, key=lambda path: int(path.name.rpartition(".")[2]))] or [found]


@functools.cache
def minor(program: str) -> int:
    done = subprocess.run([program, "version", "--client", "--output=json"], capture_output=True, timeout=SECONDS, check=True)
    return int(json.loads(done.stdout)["clientVersion"]["minor"].rstrip("+"))


class Result(NamedTuple):
    code: int
    out: str
    err: str


class Kubectl:
    """One version of kubectl, at work in one namespace as administrator."""

    def __init__(self, program: str, cluster: Cluster, namespace: str, cache: Path) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.minor = minor(program)
        self._command = [program, f"--kubeconfig={cluster.kubeconfig}", f"--cache-dir={cache}", f"--namespace={namespace}"]

    def __call__(self, *words: str, input: str = "", env: dict[str, str] | None = None) -> Result:
        done = subprocess.run(
            [*self._command, *words], input=input, capture_output=True, text=True, timeout=SECONDS, env=env, check=False
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """One that goes on by itself; the caller sees to its end."""
        pipe = subprocess.PIPE
        return subprocess.Popen([*self._command, *words], stdout=pipe, stderr=pipe, text=True, env=env)

    def ok(self, *words: str, input: str = "", env: dict[str, str] | None = None) -> str:
        """What it prints; it must succeed."""
        result = self(*words, input=input, env=env)
        assert result.code == 0, f"{words}: {result.err}"
        return result.out

    def error(self, *words: str, input: str = "") -> str:
        """Its complaint; it must fail."""
        result = self(*words, input=input)
        assert result.code != 0, f"{words}: {result.out}"
        return result.err.strip()


@pytest.fixture(scope="package")
def plane() -> Iterator[Cluster]:
    with Cluster(nodes=1) as cluster:
        yield cluster


def _at_work(program: str | None, plane: Cluster, cache: Path) -> Iterator[Kubectl]:
    if program is None:
        pytest.skip("no kubectl on the PATH")
    if minor(program) < OLDEST_MINOR:
        pytest.skip(f"kubectl 1.{minor(program)} words its answers differently")
    namespace = f"test-{next(_numbers)}"
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    plane.wait_for("serviceaccounts/default", lambda account: True, namespace=namespace)
    yield Kubectl(program, plane, namespace, cache)
    plane.delete(f"namespaces/{namespace}")


_PROGRAMS: list[str | None] = [*kubectls()] or [None]
_ENDS = _PROGRAMS if len(_PROGRAMS) == 1 else [_PROGRAMS[0], _PROGRAMS[-1]]


def _name(program: str | None) -> str:
    return Path(program).name if program else "none"


@pytest.fixture(params=_ENDS, ids=_name)
def kubectl(request: pytest.FixtureRequest, plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    yield from _at_work(request.param, plane, tmp_path_factory.getbasetemp() / f"cache-{_name(request.param)}")


@pytest.fixture(params=_PROGRAMS, ids=_name)
def every_kubectl(
    request: pytest.FixtureRequest, plane: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kubectl]:
    yield from _at_work(request.param, plane, tmp_path_factory.getbasetemp() / f"cache-{_name(request.param)}")
