"""What a validation of a value found: errors in upstream's two forms, and how far it got.

A message speaks of a path in "body" (k8s.io/kube-openapi/pkg/validation/errors); a field error shows it as clients get it
(kubeOpenAPIResultToFieldErrors in k8s.io/apiextensions-apiserver/pkg/apiserver/validation).
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.crd.structure import Value
from sampan.api.errors import FieldError, GoText, invalid, not_supported, required, too_long, too_many
from sampan.api.gotext import go_json, quoted, shown

NOWHERE = "<nil>"
"""How Go prints the path of an object as a whole."""


class Verdict:
    """`matched` counts checks that had something to say; the alternative that got farthest explains why none was met."""

    __slots__ = ("errors", "matched")

    def __init__(self) -> None:
        self.errors: dict[str, FieldError] = {}
        """By message, for each is reported once."""
        self.matched = 0

    @property
    def is_good(self) -> bool:
        return not self.errors

    def merge(self, other: Verdict | None) -> None:
        if other is not None:
            for message, error in other.errors.items():
                self.errors.setdefault(message, error)
            self.matched += other.matched


class Place:
    """Where a value stands: `base` is the path of what is validated in its object, "" for the object itself; `path` is the
    value's in that, which messages name."""

    __slots__ = ("base", "path")

    def __init__(self, base: str, path: str = "") -> None:
        self.base = base
        self.path = path

    def child(self, name: str) -> Place:
        return Place(self.base, f"{self.path}.{name}" if self.path else name)

    def value(self, key: str) -> Place:
        """Of a map: its path begins with a dot even at the root."""
        return Place(self.base, f"{self.path}.{key}")

    def item(self, index: int) -> Place:
        return Place(self.base, f"{self.path}[{index}]")

    @property
    def field(self) -> str:
        inner = self.path.removeprefix(".")
        if self.base and inner:
            return f"{self.base}.{inner}"
        return self.base or inner or NOWHERE

    def _one(self, message: str, error: FieldError) -> Verdict:
        verdict = Verdict()
        verdict.errors[message] = error
        return verdict

    def fails(self, what: str, value: Value) -> Verdict:
        """ "spec.x in body should be …" """
        message = f"{self.path} in body {what}"
        return self._one(message, invalid(self.field, shown(value) if value is not None else "", message))

    def fails_alone(self, message: str, value: Value) -> Verdict:
        return self._one(message, invalid(self.field, shown(value), message))

    def of_wrong_type(self, expected: str, found: str) -> Verdict:
        message = f"{self.path} in body must be of type {expected}: {quoted(found)}"
        error = invalid(self.field, found, message)
        return self._one(message, FieldError("FieldValueTypeInvalid", error.field, error.message))

    def too_long(self, limit: int) -> Verdict:
        message = f"{self.path} in body should be at most {limit} chars long"
        return self._one(message, too_long(self.field, limit))

    def too_many(self, what: str, actual: int, limit: int) -> Verdict:
        message = f"{self.path} in body should have at most {limit} {what}"
        return self._one(message, too_many(self.field, actual, limit))

    def lacks(self, name: str) -> Verdict:
        place = self.value(name)
        return self._one(f"{place.path} in body is required", required(place.field))

    def not_one_of(self, value: Value, choices: Sequence[Value]) -> Verdict:
        message = f"{self.path} in body should be one of {choices}"
        texts = [choice if isinstance(choice, str) else go_json(choice) for choice in choices]
        bad = GoText('"null"') if value is None else shown(value)
        return self._one(message, not_supported(self.field, bad, texts))

    def breaks(self, what: str) -> Verdict:
        """Errors of combinations of schemas, which stand at the base whatever place they speak of."""
        message = f"{quoted(self.path)} {what}"
        return self._one(message, invalid(self.base or NOWHERE, "", message))
