"""Rules of Ingresses. After pkg/apis/networking/validation."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.api import names
from sampan.api.errors import FieldError, GoText, invalid, not_supported, required
from sampan.api.groups.networking.references import validate_reference
from sampan.api.groups.validation.ranges import sloppy_ip, validate_sloppy_ip
from sampan.api.resource import Tree

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_NEITHER = "either `defaultBackend` or `rules` must be specified"
_NO_ADDRESS = "must be a DNS name, not an IP address"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS = ("/..", "/.")


@dataclass(frozen=True)
class _Tolerated:
    """What is let be because the stored object has it already."""

    bad_secret_names: bool = False
    bad_wildcard_rules: bool = False


def validate_new(tree: Tree) -> list[FieldError]:
    spec = tree.get("spec", {})
    errors = _validate_spec(spec, _Tolerated())
    annotated, named = tree["metadata"].get("annotations", {}).get(CLASS_ANNOTATION), spec.get("ingressClassName")
    if annotated is not None and named is not None and annotated != named:
        why = "must match `ingressClassName` when both are specified"
        errors.append(invalid(f"annotations.{CLASS_ANNOTATION}", annotated, why))
    return errors


def validate_change(new: Tree, old: Tree) -> list[FieldError]:
    before = old.get("spec", {})
    bad_secrets = any(_secret_problems(tls) for tls in before.get("tls", ()))
    bad_rules = any("*" in rule.get("host", "") and _validate_rule_value(rule, "") for rule in before.get("rules", ()))
    return _validate_spec(new.get("spec", {}), _Tolerated(bad_secrets, bad_rules))


def _validate_spec(spec: Tree, tolerated: _Tolerated) -> list[FieldError]:
    rules, backend = spec.get("rules", []), spec.get("defaultBackend")
    errors: list[FieldError] = []
    if not rules and backend is None:
        errors.append(invalid("spec", GoText("[]networking.IngressRule(nil)"), _NEITHER))
    if backend is not None:
        errors += _validate_backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        errors += _validate_rule(rule, f"spec.rules[{index}]", tolerated)
    for index, tls in enumerate(spec.get("tls", ())):
        errors += _validate_tls(tls, f"spec.tls[{index}]", tolerated)
    if "ingressClassName" in spec:
        name = spec["ingressClassName"]
        errors += [invalid("spec.ingressClassName", name, why) for why in names.name_is_subdomain(name)]
    return errors


def _secret_problems(tls: Tree) -> list[str]:
    name = tls.get("secretName")
    return names.name_is_subdomain(name) if name else []


def _validate_tls(tls: Tree, path: str, tolerated: _Tolerated) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, host in enumerate(tls.get("hosts", ())):
        rule = names.wildcard_dns_subdomain if "*" in host else names.dns_subdomain
        errors += [invalid(f"{path}.hosts[{index}]", host, why) for why in rule(host)]
    if not tolerated.bad_secret_names:
        errors += [invalid(f"{path}.secretName", tls["secretName"], why) for why in _secret_problems(tls)]
    return errors


def _validate_rule(rule: Tree, path: str, tolerated: _Tolerated) -> list[FieldError]:
    host = rule.get("host", "")
    wildcard = "*" in host
    errors: list[FieldError] = []
    if host:
        if sloppy_ip(host) is not None:
            errors.append(invalid(f"{path}.host", host, _NO_ADDRESS))
        check = names.wildcard_dns_subdomain if wildcard else names.dns_subdomain
        errors += [invalid(f"{path}.host", host, why) for why in check(host)]
    if not wildcard or not tolerated.bad_wildcard_rules:
        errors += _validate_rule_value(rule, path)
    return errors


def _validate_rule_value(rule: Tree, path: str) -> list[FieldError]:
    http = rule.get("http")
    if http is None:
        return []
    errors = [] if http.get("paths") else [required(f"{path}.http.paths")]
    for index, each in enumerate(http.get("paths", ())):
        errors += _validate_path(each, f"{path}.http.paths[{index}]")
    return errors


def _validate_path(tree: Tree, path: str) -> list[FieldError]:
    type_, text = tree.get("pathType"), tree.get("path", "")
    if type_ is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    errors: list[FieldError] = []
    if type_ not in _PATH_TYPES:
        errors.append(not_supported(f"{path}.pathType", type_, _PATH_TYPES))
    elif not text.startswith("/") and (text or type_ != "ImplementationSpecific"):
        errors.append(invalid(f"{path}.path", text, "must be an absolute path"))
    if type_ in ("Exact", "Prefix"):
        errors += [invalid(f"{path}.path", text, f"must not contain '{bad}'") for bad in _BAD_SEQUENCES if bad in text]
        errors += [invalid(f"{path}.path", text, f"cannot end with '{bad}'") for bad in _BAD_ENDS if text.endswith(bad)]
    return errors + _validate_backend(tree.get("backend", {}), f"{path}.backend")


def _validate_backend(backend: Tree, path: str) -> list[FieldError]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return validate_reference(resource, f"{path}.resource")
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    name = service.get("name", "")
    errors = [invalid(f"{path}.service.name", name, why) for why in names.name_is_label_1035(name)] if name else []
    if not name:
        errors.append(required(f"{path}.service.name"))
    return errors + _validate_service_port(service.get("port", {}), path)


def _validate_service_port(port: Tree, path: str) -> list[FieldError]:
    name, number = port.get("name", ""), port.get("number", 0)
    if name and number:
        return [invalid(path, "", "cannot set both port name & port number")]
    if name:
        return [invalid(f"{path}.service.port.name", name, why) for why in names.port_name(name)]
    if number:
        return [invalid(f"{path}.service.port.number", number, why) for why in names.port_number(number)]
    return [required(path, "port name or number is required")]


def validate_status(new: Tree, old: Tree) -> list[FieldError]:
    known = {point.get("ip") for point in _points(old)}
    errors: list[FieldError] = []
    for index, point in enumerate(_points(new)):
        path = f"status.loadBalancer.ingress[{index}]"
        address, host = point.get("ip", ""), point.get("hostname", "")
        if address and address not in known:
            errors += validate_sloppy_ip(address, f"{path}.ip")
        if host:
            errors += [invalid(f"{path}.hostname", host, why) for why in names.dns_subdomain(host)]
            if sloppy_ip(host) is not None:
                errors.append(invalid(f"{path}.hostname", host, _NO_ADDRESS))
    return errors


def _points(tree: Tree) -> list[Tree]:
    points: list[Tree] = tree.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return points
