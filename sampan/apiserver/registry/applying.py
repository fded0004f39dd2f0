"""Server-side apply: from a configuration to the object that it makes of what stands.

After applyPatcher in k8s.io/apiserver/pkg/endpoints/handlers/patch.go and the managers of
k8s.io/apimachinery/pkg/util/managedfields/internal, in whose order and words errors come.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Self

from sampan.api import yamltree
from sampan.api.apply import ownership as owners
from sampan.api.apply.compare import all_fields, compare
from sampan.api.apply.elements import ElementError
from sampan.api.apply.fieldset import Fields, difference, has, shown_path
from sampan.api.apply.ownership import Owner, Ownership
from sampan.api.apply.update import Applied, Conflict, Conflicts, Rules, apply, update
from sampan.api.apply.validate import explain
from sampan.api.decoding import BrokenBody, TypeProblem, decode_json, warnings_of
from sampan.api.errors import CONFLICT, StatusError, bad_request, conflict
from sampan.api.groups.validation.metadata import ANNOTATIONS_LIMIT_BYTES
from sampan.api.resource import Resource, Tree
from sampan.apiserver.registry.largebodies import ahead
from sampan.apiserver.registry.metadata import place_in_namespace
from sampan.apiserver.registry.options import WriteOptions
from sampan.apiserver.registry.ownership import FieldOwners, put, take

APPLY_PATCH: Final = "application/apply-patch+yaml"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_KUBECTL: Final = "kubectl"
_NOT_AN_OBJECT: Final = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "


def decode_configuration(body: bytes) -> tuple[Tree, str]:
    """The configuration, and what strict decoding has against it. Raises StatusError 400."""
    repeated = ""
    try:
        tree, repeats = decode_json(body)
    except BrokenBody:
        tree, repeats = None, True
    if repeats:
        try:
            tree, messages = yamltree.load(body)
        except yamltree.YAMLError as error:
            raise bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from None
        repeated = "".join(f"error converting YAML to JSON: {message}" for message in messages)
    if tree is None:
        return {}, ""
    if not isinstance(tree, dict):
        kind = "array" if isinstance(tree, list) else "string" if isinstance(tree, str) else "number"
        kind = "bool" if isinstance(tree, bool) else kind
        why = f"{_NOT_AN_OBJECT}{kind} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: {why}")
    return tree, repeated


class Configuration:
    """One request to apply. `on` is called with what stands, or None, as often as the store makes it try again."""

    def __init__(
        self,
        fields: FieldOwners,
        body: bytes,
        options: WriteOptions,
        warnings: list[str],
        *,
        namespace: str,
        name: str,
        subresource: str = "",
    ) -> None:
        self._fields = fields
        self._body = body
        self._options = options
        self._warnings = warnings
        self._namespace = namespace
        self._name = name
        self._subresource = subresource
        self._decode: Callable[[], tuple[Tree, str]] = partial(decode_configuration, body)
        self._decoded: tuple[Tree, str] | None = None

    async def read(self) -> Self:
        """Before the first `on`, which must not wait: what of a large body takes long."""
        self._decode = await ahead(self._body, decode_configuration, self._body)
        return self

    def on(self, live: Tree | None) -> Tree:
        """The object with its managedFields, encoded. Raises StatusError."""
        first = self._decoded is None
        if self._decoded is None:
            self._decoded = self._decode()
        wanted, repeated = self._decoded
        resource, manager = self._fields.resource, self._options.field_manager
        _check_kind(wanted, resource)
        tree = _applied(self._fields, live, wanted, manager, self._subresource, force=self._options.force)
        if repeated and self._options.field_validation == "Strict":
            raise bad_request(f"error strict decoding YAML: {repeated}")
        if repeated and first and self._options.field_validation == "Warn":
            self._warnings += warnings_of([repeated])
        return self._admitted(tree, live, resource)

    def _admitted(self, tree: Tree, live: Tree | None, resource: Resource) -> Tree:
        managed = take(tree) if isinstance(tree.get("metadata"), dict) else None
        try:
            admitted = resource.schema.admit_applied(tree).tree
        except TypeProblem as problem:
            shown = _shown(tree, resource)
            why = f"failed to convert new object ({shown}) to proper version ({resource.group_version}): {problem}"
            raise StatusError(500, "", why) from None
        admitted["kind"], admitted["apiVersion"] = resource.kind, resource.group_version
        meta = admitted.setdefault("metadata", {})
        if live is None and meta.get("uid"):
            why = f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found"
            raise conflict(resource.plural, resource.group, self._name, why)
        place_in_namespace(meta, resource, self._namespace)
        self._check_name(meta.get("name", ""))
        put(admitted, managed)
        return admitted

    def _check_name(self, own: str) -> None:
        if not own:
            raise bad_request(f"the name of the object ({self._name} based on URL) was undeterminable: name must be provided")
        if own != self._name:
            raise bad_request(f"the name of the object ({own}) does not match the name on the URL ({self._name})")


def _check_kind(wanted: Tree, resource: Resource) -> None:
    version, kind = _text(wanted, "apiVersion"), _text(wanted, "kind")
    if version != resource.group_version or kind != resource.kind:
        group, _, version = version.rpartition("/") if version.count("/") < 2 else ("", "", "")
        raise bad_request(f"invalid object type: {group}/{version}, Kind={kind}")


def _text(tree: Mapping[str, Any], field: str) -> str:
    value = tree.get(field)
    return value if isinstance(value, str) else ""


def _shown(tree: Tree, resource: Resource) -> str:
    """As upstream names an object in errors that it does not expect."""
    metadata = tree.get("metadata")
    meta = metadata if isinstance(metadata, dict) else {}
    kind = f"{resource.group}/{resource.version}, Kind={resource.kind}"
    return f"{_text(meta, 'namespace')}/{_text(meta, 'name')}; {kind}"


def _applied(fields: FieldOwners, live: Tree | None, wanted: Tree, manager: str, subresource: str, *, force: bool) -> Tree:
    rules = fields.rules(subresource)
    metadata = wanted.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    try:
        if why := explain(rules.place, wanted):
            raise StatusError(500, "", f"failed to create typed patch object ({_shown(wanted, fields.resource)}): {why}")
        standing: Tree = {"apiVersion": rules.api_version, "kind": fields.resource.kind} if live is None else dict(live)
        standing["metadata"] = {} if live is None else dict(live["metadata"])
        held = take(standing)
        ownership = owners.decode(held) if held is not None else {}
        if not ownership and live is not None:
            ownership = _found_before(rules, standing, subresource, fields.now())
        done = _taken(rules, ownership, standing, wanted, manager, subresource, fields.now, force)
    except ElementError as error:
        raise StatusError(500, "", f"failed to merge config: {error}") from None
    except RecursionError:
        raise bad_request("exceeded max depth") from None
    result = done.object if done.object is not None else standing
    result = {**result, "metadata": dict(result.get("metadata") or {})}
    if manager == _KUBECTL:
        _update_last_applied(result, wanted)
    put(result, owners.write(done.ownership) if done.ownership else None)
    return result


def _found_before(rules: Rules, live: Tree, subresource: str, now: str) -> Ownership:
    """Whoever wrote what is there when nobody was noted."""
    who = owners.owner(owners.BEFORE_FIRST_APPLY, owners.UPDATE, rules.api_version, subresource)
    return update(rules, {}, who, {}, live, now)


def _taken(
    rules: Rules,
    ownership: Ownership,
    live: Tree,
    wanted: Tree,
    manager: str,
    subresource: str,
    now: Callable[[], str],
    force: bool,
) -> Applied:
    who = owners.owner(manager, owners.APPLY, rules.api_version, subresource)
    try:
        return apply(rules, ownership, who, live, wanted, now(), force=force)
    except Conflicts as error:
        left = error.conflicts
        if manager == _KUBECTL:  # which may have applied on its own side before, and owns then what it applied
            allowed = _applied_by_client(rules, live)
            left = [found for found in left if allowed is None or not has(allowed, found.path)]
        if left:
            raise _conflicting(left) from None
    return apply(rules, ownership, who, live, wanted, now(), force=True)


def _applied_by_client(rules: Rules, live: Tree) -> Fields | None:
    """The fields that kubectl's own annotation says and that still are as it says. None: it says nothing that is of use."""
    try:
        last = json.loads((live["metadata"].get("annotations") or {}).get(LAST_APPLIED) or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(last, dict) or last.get("apiVersion") != rules.api_version or explain(rules.place, last):
        return None
    found = all_fields(rules.place, last)
    for part in compare(rules.place, last, live):
        found = difference(found, part)
    return found


def _update_last_applied(tree: Tree, wanted: Tree) -> None:
    """Keep the annotation true, for clients that still apply on their own side."""
    annotations = tree["metadata"].get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return
    metadata = dict(wanted.get("metadata") or {})
    if isinstance(metadata.get("annotations"), dict):
        metadata["annotations"] = {key: value for key, value in metadata["annotations"].items() if key != LAST_APPLIED}
    text = _go_json({**wanted, "metadata": metadata}) + "\n"
    annotations = {**annotations, LAST_APPLIED: text}
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > ANNOTATIONS_LIMIT_BYTES:
        del annotations[LAST_APPLIED]
    tree["metadata"]["annotations"] = annotations


def _go_json(value: Tree) -> str:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _conflicting(conflicts: list[Conflict]) -> StatusError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_named(found.owner)}",
            "field": shown_path(found.path),
        }
        for found in conflicts
    ]
    return StatusError(409, CONFLICT, _message(conflicts), details={"causes": causes})


def _message(conflicts: list[Conflict]) -> str:
    if len(conflicts) == 1:
        owner, path = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {_named(owner)}: {shown_path(path)}"
    by_owner: dict[Owner, list[str]] = {}
    for owner, path in conflicts:
        by_owner.setdefault(owner, []).append(shown_path(path))
    lines = []
    for owner, paths in by_owner.items():
        lines += [f"conflicts with {_named(owner)}:", *(f"- {path}" for path in paths)]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def _named(owner: Owner) -> str:
    name = json.dumps(owner.manager, ensure_ascii=False)
    if owner.subresource:
        name += f" with subresource {json.dumps(owner.subresource)}"
    return f"{name} using {owner.api_version}" if owner.operation == owners.UPDATE else name
