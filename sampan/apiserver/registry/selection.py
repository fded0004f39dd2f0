"""Which objects of a resource a list, watch or collection delete is about: a namespace, a name, labels, fields."""

from __future__ import annotations

from collections.abc import Callable

from sampan.api.errors import bad_request
from sampan.api.fieldselectors import FieldSelector, parse_fields
from sampan.api.resource import Resource
from sampan.api.selectors import LabelSelector, parse_labels
from sampan.apiserver.registry.objects import CachedObject, ObjectShape


class Fields:
    """The fields of a resource that selectors can see, and their values."""

    def __init__(self, resource: Resource, shape: ObjectShape) -> None:
        self.resource = resource
        # Who names fields of its own names all of them.
        self.has_own = bool(resource.selectable) or resource.custom_schema is not None
        meta = ("metadata.name",) if self.has_own and not resource.namespaced else ("metadata.name", "metadata.namespace")
        self.names = frozenset((*resource.selectable, *meta))
        self._from_stored = resource.from_stored
        self.of: Callable[[CachedObject], dict[str, str]] = self._converted if resource.from_stored else shape.fields_of

    def _converted(self, obj: CachedObject) -> dict[str, str]:
        assert self._from_stored is not None
        tree = self._from_stored(obj.tree())
        found = {name: value(tree) for name, value in self.resource.selectable.items()}
        return {**found, "metadata.name": obj.name, "metadata.namespace": obj.namespace}


class Selection:
    """`everything` is true of the whole resource without a condition."""

    __slots__ = ("_fields", "_known", "_labels", "_name", "everything", "identity", "namespace", "selective")

    def __init__(
        self,
        known: Fields,
        namespace: str = "",
        name: str = "",
        labels: LabelSelector | None = None,
        fields: FieldSelector | None = None,
        identity: str = "",
    ) -> None:
        self.namespace = namespace
        self.identity = identity
        """Equal for equal selections, to share work between watchers."""
        self._known = known
        self._name = name
        self._labels = labels
        self._fields = fields
        self.selective = bool(labels or fields or name)
        self.everything = not namespace and not self.selective

    def exact(self, field: str) -> str | None:
        """The one value of a field that can be selected, if there is only one."""
        if field == "metadata.name" and self._name:
            return self._name
        return self._fields.exact(field) if self._fields is not None else None

    def matches(self, obj: CachedObject) -> bool:
        if self.namespace and obj.namespace != self.namespace:
            return False
        return not self.selective or self.picks(obj)

    def picks(self, obj: CachedObject) -> bool:
        """As `matches`, of an object known to be in the namespace."""
        if self._name and obj.name != self._name:
            return False
        if self._labels is not None and not self._labels.matches(obj.labels):
            return False
        return self._fields is None or self._fields.matches(self._known.of(obj))


def select(known: Fields, namespace: str, name: str = "", labels: str = "", fields: str = "") -> Selection:
    """Parse the selectors of a request. Raises StatusError 400 for one that is malformed or names an unknown field."""
    label_selector = field_selector = None
    if labels:
        try:
            label_selector = parse_labels(labels)
        except ValueError as error:
            raise bad_request(str(error)) from None
    if fields:
        field_selector = _fields(known, fields)
        if name and field_selector.requirements and field_selector.exact("metadata.name") != name:
            raise bad_request("fieldSelector metadata.name doesn't match requested name")
    identity = f"{namespace}\n{name}\n{labels}\n{fields}"
    return Selection(known, namespace, name, label_selector, field_selector, identity)


def _fields(known: Fields, text: str) -> FieldSelector:
    try:
        selector = parse_fields(text)
    except ValueError as error:
        raise bad_request(str(error)) from None
    for requirement in selector.requirements:
        if requirement.field not in known.names:
            raise bad_request(_unknown(known, requirement.field))
    return selector


def _unknown(known: Fields, field: str) -> str:
    if known.resource.qualified_plural == "jobs.batch":
        return f'field label "{field}" not supported for batchv1.Job'
    if known.has_own:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
