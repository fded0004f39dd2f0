"""Event, in the form of the core group, which is stored, and in that of events.k8s.io, which is shown from it."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, invalid, required
from sampan.api.groups.columns import NAME, since
from sampan.api.groups.validation.metadata import immutable
from sampan.api.resource import Column, Resource, Strategy, Tree
from sampan.api.standing import settled

TTL_SECONDS = 3600
_SHORT_TEXT, _NOTE = 128, 1024

# Field of events.k8s.io/v1 → field of core/v1; all others have one name in both.
_RENAMED = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_RENAMED_BACK = {core: new for new, core in _RENAMED.items()}


def to_core(tree: Tree) -> Tree:
    """The stored form of an events.k8s.io/v1 Event."""
    stored = {_RENAMED.get(key, key): value for key, value in tree.items()}
    return stored | {"apiVersion": "v1"}


def from_core(tree: Tree) -> Tree:
    """A stored Event as events.k8s.io/v1 shows it."""
    shown = {_RENAMED_BACK.get(key, key): value for key, value in tree.items()}
    return shown | {"apiVersion": "events.k8s.io/v1"}


def _too_long(field: str, text: str, limit: int) -> list[FieldError]:
    if len(text.encode()) <= limit:
        return []
    return [invalid(field, "", f"can have at most {limit} characters")]


def _validate_namespace(tree: Tree) -> list[FieldError]:
    """The namespace of an event is that of its object, or `default` (or kube-system) for cluster-scoped objects."""
    namespace = tree["metadata"].get("namespace", "")
    involved = tree.get("involvedObject", {}).get("namespace", "")
    if tree.get("eventTime"):
        good = bool(involved) or namespace in ("default", "kube-system")
    else:
        good = namespace == involved if involved else namespace in ("", "default")
    return [] if good else [invalid("involvedObject.namespace", involved, "does not match event.namespace")]


def _validate_strict_fields(tree: Tree, controller_field: str) -> list[FieldError]:
    """What an event with an eventTime must have; the recorders of client-go set all of it."""
    errors: list[FieldError] = []
    controller = tree.get("reportingComponent", "")
    if not controller:
        errors.append(required(controller_field))
    errors += [invalid(controller_field, controller, why) for why in names.qualified_name(controller)]
    for field in ("reportingInstance", "action", "reason"):
        text = tree.get(field, "")
        if not text:
            errors.append(required(field))
        errors += _too_long(field, text, _SHORT_TEXT)
    return errors + _too_long("message", tree.get("message", ""), _NOTE)


def _validate(tree: Tree, controller_field: str = "reportingComponent") -> list[FieldError]:
    errors = _validate_namespace(tree)
    if tree.get("eventTime"):
        errors += _validate_strict_fields(tree, controller_field)
    namespace = tree["metadata"].get("namespace", "")
    return errors + [invalid("namespace", namespace, why) for why in names.dns_subdomain(namespace)]


def _validate_series(tree: Tree) -> list[FieldError]:
    series = tree.get("series")
    if series is None:
        return []
    errors = [] if series.get("count", 0) >= 2 else [invalid("series.count", "", "should be at least 2")]
    return errors if series.get("lastObservedTime") else [*errors, required("series.lastObservedTime")]


def _validate_new_api(tree: Tree) -> list[FieldError]:
    """An object of events.k8s.io/v1: the rules of core, and stricter ones where it is created."""
    stored = to_core(tree)
    errors = _validate(stored, "reportingController")
    if tree["metadata"].get("resourceVersion"):
        return errors
    name = tree["metadata"].get("name", "")
    errors += [invalid("metadata.name", name, why) for why in names.name_is_subdomain(name)]
    errors += _validate_series(stored)
    if not stored.get("eventTime"):
        errors.append(required("eventTime"))
    if stored.get("type") not in ("Normal", "Warning"):
        errors.append(invalid("type", "", f"has invalid value: {stored.get('type', '')}"))
    unset = [field for field in ("firstTimestamp", "lastTimestamp", "count") if stored.get(field)]
    if any(stored.get("source", {}).values()):
        unset.append("source")
    return errors + [invalid(field, "", "needs to be unset") for field in unset]


_FIXED = (
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "reason",  # a second time, as upstream
    "type",
    "eventTime",
    "action",
    "related",
    "reportingController",
    "reportingInstance",
)


def _validate_new_api_update(new: Tree, old: Tree) -> list[FieldError]:
    """Only the series of an event may change."""
    now, before = to_core(new), to_core(old)
    errors = _validate_series(now) if now.get("series") != before.get("series") else []
    for field in _FIXED:
        key = _RENAMED.get(field, field)
        errors += immutable(field, now.get(key), before.get(key))
    return errors


def _first(tree: Tree, now: float) -> str:
    return since(tree.get("firstTimestamp") or tree.get("eventTime"), now)


def _last(tree: Tree, now: float) -> str:
    if "series" in tree:
        return since(tree["series"].get("lastObservedTime"), now)
    last = tree.get("lastTimestamp")
    return since(last, now) if last else _first(tree, now)


def _count(tree: Tree, now: float) -> int:
    count: int = tree["series"].get("count", 0) if "series" in tree else tree.get("count") or 1
    return count


def _object(tree: Tree, now: float) -> str:
    involved = tree.get("involvedObject", {})
    kind, name = involved.get("kind", "").lower(), involved.get("name")
    return f"{kind}/{name}" if name else kind


def _source(tree: Tree, now: float) -> str:
    source = tree.get("source", {})
    component = source.get("component") or tree.get("reportingComponent", "")
    host = source.get("host") or tree.get("reportingInstance", "")
    return f"{component}, {host}" if host else component


def _text(field: str) -> Column:
    return Column(field.capitalize(), lambda tree, now: tree.get(field, ""))


COLUMNS = (
    Column("Last Seen", _last),
    _text("type"),
    _text("reason"),
    Column("Object", _object),
    Column("Subobject", lambda tree, now: tree.get("involvedObject", {}).get("fieldPath", ""), priority=1),
    Column("Source", _source, priority=1),
    Column("Message", lambda tree, now: tree.get("message", "").strip()),
    Column("First Seen", _first, priority=1),
    Column("Count", _count, priority=1),
    Column("Name", NAME.cell, priority=1, format_="name"),
)


def _shown(column: Column) -> Column:
    """The same column of an object in the form of events.k8s.io."""
    cell = column.cell
    assert callable(cell)
    of_core = cell
    return Column(column.name, lambda tree, now: of_core(to_core(tree), now), column.type_, column.priority, column.format_)


def _involved(field: str, tree: Tree) -> str:
    involved = tree.get("involvedObject") or tree.get("regarding") or {}
    value: str = involved.get(field, "")
    return value


def _plain(field: str, tree: Tree) -> str:
    value: str = tree.get(field) or ""
    return value


def _component(tree: Tree) -> str:
    value: str = tree.get("reportingComponent") or tree.get("reportingController") or ""
    return value


def _source_component(tree: Tree) -> str:
    source = tree.get("source") or tree.get("deprecatedSource") or {}
    return source.get("component") or _component(tree)


_INVOLVED_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

CORE = Resource(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    definition="io.k8s.api.core.v1.Event",
    short=("ev",),
    strategy=Strategy(validate=_validate, allow_create_on_update=True, garbage_collection="unsupported"),
    columns=COLUMNS,
    selectable={f"involvedObject.{field}": (lambda tree, field=field: _involved(field, tree)) for field in _INVOLVED_FIELDS}
    | {
        "reason": lambda tree: _plain("reason", tree),
        "reportingComponent": _component,
        "source": _source_component,
        "type": lambda tree: _plain("type", tree),
    },
    name_is_valid=names.path_segment,
    ttl_seconds=TTL_SECONDS,
)

NEW_API = Resource(
    group="events.k8s.io",
    version="v1",
    kind="Event",
    plural="events",
    definition="io.k8s.api.events.v1.Event",
    short=("ev",),
    strategy=Strategy(
        validate=_validate_new_api,
        validate_update=_validate_new_api_update,
        allow_create_on_update=True,
        garbage_collection="unsupported",
    ),
    columns=tuple(map(_shown, COLUMNS)),
    selectable={f"regarding.{field}": (lambda tree, field=field: _involved(field, tree)) for field in _INVOLVED_FIELDS}
    | {
        "reason": lambda tree: _plain("reason", tree),
        "reportingController": _component,
        "type": lambda tree: _plain("type", tree),
    },
    name_is_valid=names.path_segment,
    ttl_seconds=TTL_SECONDS,
    stored_as=("", "v1", "events"),
    to_stored=settled(CORE.definition, to_core),
    from_stored=settled("io.k8s.api.events.v1.Event", from_core),
)

RESOURCES = (CORE, NEW_API)
