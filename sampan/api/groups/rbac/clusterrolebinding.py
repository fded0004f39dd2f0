"""ClusterRoleBinding."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError
from sampan.api.groups.rbac.bindings import COLUMNS, default_binding, validate_binding, validate_binding_update
from sampan.api.groups.rbac.rules import GROUP
from sampan.api.resource import Resource, Strategy, Tree


def _validate(tree: Tree) -> list[FieldError]:
    return validate_binding(tree, ("ClusterRole",), namespaced=False)


RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    definition="io.k8s.api.rbac.v1.ClusterRoleBinding",
    namespaced=False,
    strategy=Strategy(validate=_validate, validate_update=validate_binding_update, allow_create_on_update=True),
    default=default_binding,
    columns=COLUMNS,
    name_is_valid=names.path_segment,
)
