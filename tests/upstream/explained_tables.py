"""Why Tables of 1.20 have other columns and cells than those of 1.33: each column by its name."""

from __future__ import annotations

import json
import re

from tests.upstream.comparing import ABSENT, Explained

_ABSENT = re.escape(json.dumps(ABSENT))


def _came(resource: str, *columns: str) -> Explained:
    at = "|".join(map(re.escape, columns))
    return Explained("younger columns", rf"\.(columnDefinitions|cells)\.({at})$", f"/{resource}\\b", _ABSENT)


ROWS: tuple[Explained, ...] = (
    Explained("descriptions of columns are those of 1.33's fields", r"\.columnDefinitions(\[\d+\]|\.[^.]+)\.description$"),
    _came("persistentvolume(claim)?s", "VolumeAttributesClass"),
    _came("cronjobs", "Timezone"),
    _came("jobs", "Status"),
    _came("certificatesigningrequests", "RequestedDuration"),
    _came("csidrivers", "RequiresRepublish", "TokenRequests"),
    _came("priorityclasses", "PreemptionPolicy"),
    _came("csistoragecapacities", "StorageClassName", "Capacity"),
    _came("prioritylevelconfigurations", "NominalConcurrencyShares"),
    Explained("v1: shares are nominal", r"\.AssuredConcurrencyShares$", "/prioritylevelconfigurations", ours=_ABSENT),
    Explained("capacities have columns", r"\.Created At$", "/csistoragecapacities", ours=_ABSENT),
    Explained("restarts say when", r"\.Restarts(\.type)?$", "/pods", '^0$|"integer"', '"0"|"string"'),
    Explained("targets name what they are of", r"\.Targets$", "/horizontalpodautoscalers", "/", ": "),
    Explained("the condition of an APIService is there sooner", r"\.cells\.Available$", "/apiservices", "Unknown"),
    Explained("a series counts its first event, too", r"\.cells\.Count$", "/events"),
)
