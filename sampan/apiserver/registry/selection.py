"""Which objects of a resource a list, watch or collection delete is about: a namespace, a name, labels, fields."""

from __future__ import annotations

from sampan.api.errors import bad_request
from sampan.api.fieldselectors import FieldSelector, parse_fields
from sampan.api.selectors import LabelSelector, parse_labels
from sampan.apiserver.registry.objects import CachedObject, ObjectShape


class Selection:
    """`everything` is true of the whole resource without a condition."""

    __slots__ = ("_fields", "_labels", "_name", "_shape", "everything", "identity", "namespace", "selective")

    def __init__(
        self,
        shape: ObjectShape,
        namespace: str = "",
        name: str = "",
        labels: LabelSelector | None = None,
        fields: FieldSelector | None = None,
        identity: str = "",
    ) -> None:
        self.namespace = namespace
        self.identity = identity
        """Equal for equal selections, to share work between watchers."""
        self._shape = shape
        self._name = name
        self._labels = labels
        self._fields = fields
        self.selective = bool(labels or fields or name)
        self.everything = not namespace and not self.selective

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
        return self._fields is None or self._fields.matches(self._shape.fields_of(obj))


def select(shape: ObjectShape, namespace: str, name: str = "", labels: str = "", fields: str = "") -> Selection:
    """Parse the selectors of a request. Raises StatusError 400 for one that is malformed or names an unknown field."""
    label_selector = field_selector = None
    if labels:
        try:
            label_selector = parse_labels(labels)
        except ValueError as error:
            raise bad_request(str(error)) from None
    if fields:
        field_selector = _fields(shape, fields)
    identity = f"{namespace}\n{name}\n{labels}\n{fields}"
    return Selection(shape, namespace, name, label_selector, field_selector, identity)


def _fields(shape: ObjectShape, text: str) -> FieldSelector:
    try:
        selector = parse_fields(text)
    except ValueError as error:
        raise bad_request(str(error)) from None
    for requirement in selector.requirements:
        field = requirement.field
        if field not in ("metadata.name", "metadata.namespace") and field not in shape.field_names:
            raise bad_request(
                f'Unable to find "{shape.group_version}, Resource={shape.resource.plural}" that match label selector "", '
                f'field selector "{text}": field label not supported: {field}'
            )
    return selector
