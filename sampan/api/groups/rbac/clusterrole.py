"""ClusterRole."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, required
from sampan.api.groups.rbac.rules import COLUMNS, GROUP, validate_rules
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.resource import Resource, Strategy, Tree


def _validate(tree: Tree) -> list[FieldError]:
    errors = validate_rules(tree, namespaced=False)
    aggregation = tree.get("aggregationRule")
    if aggregation is None:
        return errors
    path = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors", ())
    if not selectors:
        errors.append(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
    for index, selector in enumerate(selectors):
        errors += validate_label_selector(selector, f"{path}[{index}]")
    return errors


RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    definition="io.k8s.api.rbac.v1.ClusterRole",
    namespaced=False,
    strategy=Strategy(validate=_validate, allow_create_on_update=True),
    columns=COLUMNS,
    name_is_valid=names.path_segment,
)
