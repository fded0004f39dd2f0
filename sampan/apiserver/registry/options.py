"""Options of reads and writes, read from a query or a body; after metav1's ListOptions, CreateOptions and their kin.

https://kubernetes.io/docs/reference/using-api/api-concepts/ tells what each means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.api.errors import (
    FieldError,
    StatusError,
    bad_request,
    forbidden_field,
    invalid,
    invalid_object,
    not_supported,
    required,
    too_long,
)
from sampan.api.integers import parse_int64, parse_uint64
from sampan.apiserver.requestinfo import is_true
from sampan.lib.http import Query

Parameters = Mapping[str, str]

_MANAGER_BYTES = 128

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"
_VALIDATIONS = ("", "Ignore", "Warn", "Strict")
_PROPAGATIONS = ("Foreground", "Background", "Orphan")


@dataclass(slots=True)
class ListOptions:
    labels: str = ""
    fields: str = ""
    resource_version: str = ""
    match: str = ""
    limit: int = 0
    continue_: str = ""
    timeout_seconds: int = 0
    bookmarks: bool = False
    initial_events: bool | None = None


@dataclass(slots=True)
class WriteOptions:
    """Of create, update and patch."""

    dry_run: bool = False
    field_validation: str = "Warn"
    said_validation: str = ""
    """As the request has it; admission hears of that."""
    field_manager: str = ""
    force: bool = False


@dataclass(slots=True)
class DeleteOptions:
    grace_seconds: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    propagation: str = ""
    orphan: bool | None = None
    """What the old option says, which `propagation` then says, too."""
    dry_run: bool = False


def _integer(query: Parameters, name: str) -> int:
    """0 where it is not there. Raises StatusError 400."""
    if name not in query:
        return 0
    try:
        return parse_int64(query[name])
    except ValueError as error:
        raise bad_request(str(error)) from None


def _flag(query: Parameters, name: str) -> bool:
    return name in query and is_true(query[name])


def _every(query: Parameters, name: str) -> list[str]:
    """All values of a parameter that may come several times."""
    if isinstance(query, Query):
        return query.every(name)
    return [query[name]] if name in query else []


def revision_of(text: str, problem: str = "") -> int:
    """A resourceVersion that a client sent, "" being 0. Raises StatusError 400, which `problem` begins."""
    if not text:
        return 0
    try:
        return parse_uint64(text)
    except ValueError as error:
        raise bad_request(f"{problem}{invalid('resourceVersion', text, str(error))}") from None


def revision_to_get(text: str) -> int:
    """Of a request for one object or a watch, where upstream has no name for what is wrong. Raises StatusError 500."""
    try:
        return revision_of(text)
    except StatusError as error:
        raise StatusError(500, "", error.message) from None


def list_options(query: Parameters, *, watching: bool = False) -> ListOptions:
    options = ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        resource_version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        limit=max(_integer(query, "limit"), 0),
        continue_=query.get("continue", ""),
        timeout_seconds=_integer(query, "timeoutSeconds"),
        bookmarks=_flag(query, "allowWatchBookmarks"),
        initial_events=is_true(query["sendInitialEvents"]) if "sendInitialEvents" in query else None,
    )
    if errors := _list_errors(options, watching):
        raise invalid_object("ListOptions", "meta.k8s.io", "", errors)
    return options


def _list_errors(options: ListOptions, watching: bool) -> list[FieldError]:
    """After metainternalversion/validation.ValidateListOptions, streaming lists being on."""
    return _watch_errors(options) if watching else _plain_list_errors(options)


def _plain_list_errors(options: ListOptions) -> list[FieldError]:
    errors: list[FieldError] = []
    if match := options.match:
        if not options.resource_version:
            errors.append(_bad_match("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.continue_:
            errors.append(_bad_match("resourceVersionMatch is forbidden when continue is provided"))
        if match not in (EXACT, NOT_OLDER_THAN):
            errors.append(not_supported("resourceVersionMatch", match, (EXACT, NOT_OLDER_THAN, "")))
        if match == EXACT and options.resource_version == "0":
            errors.append(_bad_match('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.initial_events is not None:
        errors.append(forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return errors


def _watch_errors(options: ListOptions) -> list[FieldError]:
    errors: list[FieldError] = []
    match = options.match
    if options.initial_events is not None and match != NOT_OLDER_THAN:
        errors.append(_bad_match(f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"))
    if match:
        if options.initial_events is None:
            errors.append(_bad_match("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
        if match != NOT_OLDER_THAN:
            errors.append(not_supported("resourceVersionMatch", match, (NOT_OLDER_THAN,)))
        if options.continue_:
            errors.append(_bad_match("resourceVersionMatch is forbidden when continue is provided"))
    return errors


def _bad_match(why: str) -> FieldError:
    return forbidden_field("resourceVersionMatch", why)


def write_options(query: Parameters, kind: str, *, applies: bool = False) -> WriteOptions:
    """`kind`: "CreateOptions", "UpdateOptions" or "PatchOptions", for messages; `applies`: of a server-side apply."""
    if not query and not applies:
        return WriteOptions()
    validation, manager = query.get("fieldValidation", ""), query.get("fieldManager", "")
    errors: list[FieldError] = []
    if applies and not manager:
        errors.append(required("fieldManager", "is required for apply patch"))
    elif kind == "PatchOptions" and not applies and "force" in query:
        errors.append(forbidden_field("force", "may not be specified for non-apply patch"))
    errors += _manager_errors(manager) if manager else []
    errors += _dry_run_errors(_every(query, "dryRun"))
    if validation not in _VALIDATIONS:
        errors.append(not_supported("fieldValidation", validation, ("", "Ignore", "Strict", "Warn")))
    if errors:
        raise invalid_object(kind, "meta.k8s.io", "", errors)
    return WriteOptions(
        dry_run="dryRun" in query,
        field_validation=validation or "Warn",
        said_validation=validation,
        field_manager=manager,
        force=_flag(query, "force"),
    )


def _manager_errors(manager: str) -> list[FieldError]:
    """After ValidateFieldManager."""
    size = len(manager.encode(errors="replace"))
    errors = [too_long("fieldManager", _MANAGER_BYTES)] if size > _MANAGER_BYTES else []
    for at, character in enumerate(manager):
        if not character.isprintable():
            shown = f"U+{ord(character):04X}"
            errors.append(invalid("fieldManager", manager, f"invalid character {shown} (at position {at})"))
    return errors


def _dry_run_errors(values: list[Any]) -> list[FieldError]:
    return [] if all(v == "All" for v in values) else [not_supported("dryRun", values, ("All",))]


def delete_options(body: Mapping[str, Any] | None, query: Parameters) -> DeleteOptions:
    """From a decoded body or, where there is none, from the query. Raises StatusError 400 or 422."""
    if body is None:
        body = _delete_query(query)
    preconditions = body.get("preconditions") or {}
    propagation, orphan = body.get("propagationPolicy"), body.get("orphanDependents")
    errors: list[FieldError] = []
    if orphan is not None and propagation is not None:
        errors.append(invalid("propagationPolicy", propagation, "orphanDependents and deletionPropagation cannot be both set"))
    if propagation is not None and propagation not in _PROPAGATIONS:
        errors.append(not_supported("propagationPolicy", propagation, (*_PROPAGATIONS, "nil")))
    errors += _dry_run_errors(list(body.get("dryRun") or ()))
    if errors:
        raise invalid_object("DeleteOptions", "meta.k8s.io", "", errors)
    if orphan is not None:
        propagation = "Orphan" if orphan else "Background"
    return DeleteOptions(
        grace_seconds=body.get("gracePeriodSeconds"),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        propagation=propagation or "",
        orphan=orphan,
        dry_run=bool(body.get("dryRun")),
    )


def _delete_query(query: Parameters) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if "gracePeriodSeconds" in query:
        body["gracePeriodSeconds"] = _integer(query, "gracePeriodSeconds")
    if "propagationPolicy" in query:
        body["propagationPolicy"] = query["propagationPolicy"]
    if "orphanDependents" in query:
        body["orphanDependents"] = is_true(query["orphanDependents"])
    if "dryRun" in query:
        body["dryRun"] = _every(query, "dryRun")
    if preconditions := {name: query[name] for name in ("uid", "resourceVersion") if query.get(name)}:
        body["preconditions"] = preconditions
    return body
