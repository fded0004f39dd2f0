"""Conversion of custom resources between versions by the webhook that their definition names.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion
After k8s.io/apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go, whose checks and words these are. What the
webhook says of metadata counts for labels and annotations only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from sampan.api.errors import StatusError
from sampan.api.groups.validation.metadata import validate_annotations, validate_labels
from sampan.api.resource import Tree
from sampan.apiserver.registry.metadata import new_uid
from sampan.apiserver.webhooks.client import WebhookCallError, WebhookClient

_GROUP: Final = "apiextensions.k8s.io"
_SUPPORTED: Final = ("v1", "v1beta1")
_REVIEWS: Final = tuple(f"{_GROUP}/{version}" for version in _SUPPORTED)
_SCHEME: Final = "k8s.io/apiserver/pkg/util/webhook/client.go:71"
_TIMEOUT_SECONDS: Final = 30.0
_LARGEST_BATCH: Final = 100
_SAME: Final = (("name", "name"), ("namespace", "namespace"), ("uid", "UID"))


class ConversionFailed(StatusError):
    """An object cannot be shown or stored in a version."""

    def __init__(self, message: str) -> None:
        super().__init__(500, "", message)


class _BadAnswer(ConversionFailed):
    """The webhook can be reached."""


class _Bad(Exception):
    """What is wrong with an answer, or with an object in it."""


class _Kind(NamedTuple):
    group_version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group_version or '/'}, Kind={self.kind}"


class WebhookConverter:
    """Of one definition; `webhook` is its spec.conversion.webhook."""

    def __init__(self, client: WebhookClient, webhook: Tree) -> None:
        self._client = client
        self._config: Tree = webhook.get("clientConfig") or {}
        accepted = webhook.get("conversionReviewVersions") or ()
        self._review_version = next((version for version in accepted if version in _SUPPORTED), "")

    async def convert(self, trees: Sequence[Tree], group_version: str) -> list[Tree]:
        """The objects in another version, in their order; those that are in it already are what they were. Raises
        ConversionFailed."""
        found = list(trees)
        wanted = [index for index, tree in enumerate(found) if tree.get("apiVersion") != group_version]
        for start in range(0, len(wanted), _LARGEST_BATCH):
            batch = wanted[start : start + _LARGEST_BATCH]
            for index, tree in zip(batch, await self._together([found[i] for i in batch], group_version), strict=True):
                found[index] = tree
        return found

    async def _together(self, originals: Sequence[Tree], group_version: str) -> list[Tree]:
        try:
            return await self._ask(originals, group_version)
        except _BadAnswer:
            if len(originals) == 1:
                raise
        # Upstream asks for one after the other: this finds which it is, and webhooks that know no better get along.
        return [(await self._ask([original], group_version))[0] for original in originals]

    async def _ask(self, originals: Sequence[Tree], group_version: str) -> list[Tree]:
        kind = _kind_of(originals[0])
        converted = await self._exchange(originals, group_version, kind)
        returned = f"conversion webhook for {kind} returned"
        if len(converted) != len(originals):
            raise _BadAnswer(f"{returned} {len(converted)} objects, expected {len(originals)}")
        found: list[Tree] = []
        for original, tree in zip(originals, converted, strict=True):
            if isinstance(tree, dict) and not tree.get("kind"):
                raise _BadAnswer(f"Object 'Kind' is missing in '{msgspec.json.encode(tree).decode()}'")
            what = "object at index 0"
            try:
                _check_kind(original, tree, group_version)
                what = "object"
                _check_identity(original, tree)
                what = "metadata"
                found.append(_restore_metadata(original, tree))
            except _Bad as bad:
                raise _BadAnswer(f"{returned} invalid {what}: {bad}") from None
        return found

    async def _exchange(self, originals: Sequence[Tree], group_version: str, kind: _Kind) -> Sequence[Any]:
        if not self._review_version:
            raise ConversionFailed("no supported conversion review versions")
        uid = new_uid()
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"{_GROUP}/{self._review_version}",
            "request": {"uid": uid, "desiredAPIVersion": group_version, "objects": list(originals)},
        }
        try:
            answer = await self._client.call(self._config, review, _TIMEOUT_SECONDS)
            return _converted_objects(answer, uid, self._review_version)
        except WebhookCallError as error:
            raise ConversionFailed(f"conversion webhook for {kind} failed: {error}") from None
        except _Bad as error:
            raise _BadAnswer(f"conversion webhook for {kind} failed: {error}") from None


def _kind_of(tree: Tree) -> _Kind:
    return _Kind(tree.get("apiVersion", ""), tree.get("kind", ""))


def _converted_objects(review: Tree, uid: str, version: str) -> Sequence[Any]:
    response = review.get("response")
    _check_review(_kind_of(review), version)
    if not isinstance(response, dict):
        raise _Bad("no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise _Bad(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result: Tree = response["result"] if isinstance(response.get("result"), dict) else {}
    status = result.get("status", "")
    if status != "Success":
        raise _Bad(result.get("message") or f"response.result.status was '{status}', not 'Success'")
    found = response.get("convertedObjects")
    return found if isinstance(found, list) else []


def _check_review(said: _Kind, version: str) -> None:
    wanted = _Kind(f"{_GROUP}/{version}", "ConversionReview")
    if said == wanted:
        return
    if all(said):
        # Upstream decodes the answer before it looks at it.
        if said.kind != wanted.kind or said.group_version not in _REVIEWS:
            raise _Bad(f'no kind "{said.kind}" is registered for version "{said.group_version}" in scheme "{_SCHEME}"')
        other = said.group_version.rpartition("/")[2]
        raise _Bad(f"converting ({other}.{said.kind}) to ({version}.{said.kind}): unknown conversion")
    # Answers in v1beta1 never had to say what they are, nor to which question.
    if version == "v1":
        raise _Bad(f"expected webhook response of {wanted}, got {said}")


def _check_kind(original: Tree, converted: Any, group_version: str) -> None:
    if not isinstance(converted, dict):
        raise _Bad(f"invalid type, expected=Unstructured, got={type(converted).__name__}")
    if converted.get("apiVersion") != group_version:
        raise _Bad(f"invalid groupVersion (expected {group_version}, received {converted.get('apiVersion', '')})")
    if converted.get("kind") != original.get("kind"):
        raise _Bad(f"invalid kind (expected {original.get('kind')}, received {converted.get('kind', '')})")


def _check_identity(original: Tree, converted: Tree) -> None:
    before, after = original.get("metadata") or {}, converted.get("metadata")
    after = after if isinstance(after, dict) else {}
    for field, word in _SAME:
        if before.get(field, "") != (after.get(field) or ""):
            raise _Bad(f"must have the same {word}: {before.get(field, '')} != {after.get(field) or ''}")


def _restore_metadata(original: Tree, converted: Tree) -> Tree:
    """The converted object with the metadata it had, but for labels and annotations."""
    if "metadata" not in converted:
        raise _Bad("missing metadata in converted object")
    said = converted["metadata"]
    if not isinstance(said, dict):
        raise _Bad(f"invalid metadata of type {_go_type(said)} in converted object")
    metadata = dict(original.get("metadata") or {})
    for field, rules in (("labels", validate_labels), ("annotations", validate_annotations)):
        value = said.get(field)
        if value is None:
            metadata.pop(field, None)
            continue
        _check_strings(value, field)
        if value != metadata.get(field, {}):
            path = "metadata.labels" if field == "labels" else "metadata.annotation"
            problems = [str(problem) for problem in rules(value, path)]
            if problems:
                raise _Bad(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
        metadata[field] = value
    return {**converted, "metadata": metadata}


def _check_strings(value: Any, field: str) -> None:
    if not isinstance(value, Mapping):
        raise _Bad(f"invalid metadata.{field} of type {_go_type(value)} in converted object")
    for key, inner in value.items():
        if not isinstance(inner, str):
            raise _Bad(f"metadata.{field}[{key}] must be a string, but is {_go_type(inner)} in converted object")


def _go_type(value: Any) -> str:
    kinds = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}
    return "<nil>" if value is None else kinds.get(type(value), "map[string]interface {}")
