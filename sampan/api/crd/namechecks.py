"""The names of a definition: asked for in its spec, accepted in its status."""

from __future__ import annotations

from sampan.api import names
from sampan.api.crd.structure import Tree
from sampan.api.errors import FieldError, invalid, required


def validate_required_names(asked: Tree, path: str) -> list[FieldError]:
    return [required(f"{path}.{field}") for field in ("plural", "singular", "kind", "listKind") if not asked.get(field)]


def validate_names(given: Tree, path: str) -> list[FieldError]:
    """The form of names, of those that are there."""
    errors: list[FieldError] = []
    for field in ("plural", "singular"):
        errors += _validate_label(given.get(field, ""), f"{path}.{field}")
    for field in ("kind", "listKind"):
        name = given.get(field, "")
        if name and (problems := names.dns_label_1035(name.lower())):
            why = "may have mixed case, but should otherwise match: " + ",".join(problems)
            errors.append(invalid(f"{path}.{field}", name, why))
    for index, name in enumerate(given.get("shortNames") or ()):
        errors += _validate_label(name, f"{path}.shortNames[{index}]", always=True)
    if given.get("kind") and given["kind"] == given.get("listKind"):
        errors.append(invalid(f"{path}.listKind", given["listKind"], "kind and listKind may not be the same"))
    for index, name in enumerate(given.get("categories") or ()):
        errors += _validate_label(name, f"{path}.categories[{index}]", always=True)
    return errors


def _validate_label(name: str, path: str, *, always: bool = False) -> list[FieldError]:
    problems = names.dns_label_1035(name) if name or always else []
    return [invalid(path, name, ",".join(problems))] if problems else []
