"""Upstream's default plugins, each in its file, in the order in which filters run."""

from __future__ import annotations

from sampan.scheduler.framework import FilterPlugin, ScorePlugin
from sampan.scheduler.plugins.interpodaffinity import InterPodAffinity
from sampan.scheduler.plugins.nodeaffinity import NodeAffinity
from sampan.scheduler.plugins.nodename import NodeName
from sampan.scheduler.plugins.nodeports import NodePorts
from sampan.scheduler.plugins.noderesources import NodeResourcesBalancedAllocation, NodeResourcesFit
from sampan.scheduler.plugins.nodeunschedulable import NodeUnschedulable
from sampan.scheduler.plugins.podtopologyspread import PodTopologySpread
from sampan.scheduler.plugins.tainttoleration import TaintToleration
from sampan.scheduler.selection import Selections


def default_plugins(selections: Selections) -> tuple[list[FilterPlugin], list[ScorePlugin]]:
    """The filters, in order, and the scores."""
    taints, affinity, fit, spread = TaintToleration(), NodeAffinity(), NodeResourcesFit(), PodTopologySpread(selections)
    filters: list[FilterPlugin] = [
        NodeUnschedulable(), NodeName(), taints, affinity, NodePorts(), fit, spread, InterPodAffinity()
    ]  # fmt: skip
    scores: list[ScorePlugin] = [taints, affinity, fit, spread, NodeResourcesBalancedAllocation()]
    return filters, scores
