"""Pods' cgroups in a directory that stands in for the kernel's."""

from __future__ import annotations

from pathlib import Path

from sampan.kubelet.cgroups import Cgroups
from sampan.kubelet.runtime.base import Resources

LIMITS = Resources(cpu_period=100_000, cpu_quota=50_000, cpu_shares=512, memory_limit_bytes=1 << 20)


def test_version_1_has_a_directory_in_each_hierarchy(tmp_path: Path) -> None:
    for controller in ("cpu", "memory", "pids", "freezer"):
        (tmp_path / controller).mkdir()
    cgroups = Cgroups(tmp_path)
    assert not cgroups.unified
    cgroups.create("/k/kubepods/burstable/podu1", LIMITS)
    assert (tmp_path / "cpu/k/kubepods/burstable/podu1/cpu.shares").read_text() == "512"
    assert (tmp_path / "cpu/k/kubepods/burstable/podu1/cpu.cfs_quota_us").read_text() == "50000"
    assert (tmp_path / "memory/k/kubepods/burstable/podu1/memory.limit_in_bytes").read_text() == str(1 << 20)
    assert cgroups.pods_below("/k") == {"u1"}


def test_version_2_hands_controllers_down_and_sets_weights(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    cgroups = Cgroups(tmp_path)
    assert cgroups.unified
    cgroups.create("/k/kubepods/podu1", LIMITS)
    pod = tmp_path / "k/kubepods/podu1"
    assert (pod / "cpu.weight").read_text() == "20"
    assert (pod / "cpu.max").read_text() == "50000 100000"
    assert (pod / "memory.max").read_text() == str(1 << 20)
    assert (tmp_path / "k/cgroup.subtree_control").exists()
    assert cgroups.pods_below("/k") == {"u1"}


def test_removal_takes_what_is_below_and_tells_what_would_not_go(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    cgroups = Cgroups(tmp_path)
    (tmp_path / "cpu/k/podu1/container").mkdir(parents=True)
    assert cgroups.remove("/k/podu1")
    assert not (tmp_path / "cpu/k/podu1").exists()
    assert cgroups.remove("/k/podu1")
    (tmp_path / "cpu/k/podu2").mkdir()
    (tmp_path / "cpu/k/podu2/stays").touch()
    assert not cgroups.remove("/k/podu2")
