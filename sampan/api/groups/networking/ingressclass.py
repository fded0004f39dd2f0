"""IngressClass."""

from __future__ import annotations

import re

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required, too_long
from sampan.api.groups.columns import AGE, NAME, NONE
from sampan.api.groups.networking.references import validate_reference
from sampan.api.groups.strategies import bump_generation, start_generation
from sampan.api.groups.validation.metadata import immutable
from sampan.api.resource import Column, Resource, Strategy, Tree

_CONTROLLER_BYTES = 250
_SCOPES = ("Cluster", "Namespace")
_PATH_FORMAT = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_path = re.compile(_PATH_FORMAT).fullmatch


def _default(tree: Tree) -> None:
    parameters = tree.get("spec", {}).get("parameters")
    if parameters is not None and "scope" not in parameters:
        parameters["scope"] = "Cluster"


def _validate(tree: Tree) -> list[FieldError]:
    spec, path = tree.get("spec", {}), "spec.controller"
    controller = spec.get("controller", "")
    errors: list[FieldError] = []
    if not controller:
        errors.append(required(path))
    else:
        if len(controller.encode()) > _CONTROLLER_BYTES:
            errors.append(too_long(path, _CONTROLLER_BYTES))
        errors += validate_prefixed_path(controller, path)
    parameters = spec.get("parameters")
    return errors if parameters is None else errors + _validate_parameters(parameters, "spec.parameters")


def validate_prefixed_path(value: str, path: str) -> list[FieldError]:
    """IsDomainPrefixedPath: "acme.io/foo"."""
    host, _, rest = value.partition("/")
    if not host or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = [invalid(path, host, why) for why in names.dns_subdomain(host)]
    if not _path(rest):
        errors.append(invalid(path, rest, names.pattern_message("Invalid path", _PATH_FORMAT)))
    return errors


def _validate_parameters(parameters: Tree, path: str) -> list[FieldError]:
    errors = validate_reference(parameters, path)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        return [*errors, required(f"{path}.scope")]
    if scope not in _SCOPES:
        errors.append(not_supported(f"{path}.scope", scope, _SCOPES))
    elif scope == "Cluster" and namespace is not None:
        errors.append(forbidden_field(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
    elif scope == "Namespace" and namespace is None:
        errors.append(required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
    elif scope == "Namespace":
        errors += [invalid(f"{path}.namespace", namespace, why) for why in names.dns_label(str(namespace))]
    return errors


def _validate_change(new: Tree, old: Tree) -> list[FieldError]:
    now, before = new.get("spec", {}).get("controller", ""), old.get("spec", {}).get("controller", "")
    return immutable("spec.controller", now, before) + _validate(new)


def _parameters(tree: Tree, now: float) -> str:
    parameters = tree.get("spec", {}).get("parameters")
    if parameters is None:
        return NONE
    group = f".{parameters['apiGroup']}" if "apiGroup" in parameters else ""
    return f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"


RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    definition="io.k8s.api.networking.v1.IngressClass",
    namespaced=False,
    strategy=Strategy(
        prepare_create=start_generation,
        prepare_update=bump_generation,
        validate=_validate,
        validate_change=_validate_change,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Controller", lambda tree, now: tree.get("spec", {}).get("controller", "")),
        Column("Parameters", _parameters),
        AGE,
    ),
)
