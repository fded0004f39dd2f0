"""Role."""

from __future__ import annotations

from sampan.api import names
from sampan.api.groups.rbac.rules import COLUMNS, GROUP, validate_rules
from sampan.api.resource import Resource, Strategy

RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="Role",
    plural="roles",
    definition="io.k8s.api.rbac.v1.Role",
    strategy=Strategy(validate=lambda tree: validate_rules(tree, namespaced=True), allow_create_on_update=True),
    columns=COLUMNS,
    name_is_valid=names.path_segment,
)
