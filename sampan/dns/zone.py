"""What the cluster's zone says: records of services, endpoints and pods.

Names are lower case, without the final dot. `CLUSTER` below stands for the cluster domain:

    SVC.NS.svc.CLUSTER              A      the cluster IP; of a headless service, every ready endpoint
    _PORT._PROTO.SVC.NS.svc.CLUSTER SRV    the port, at the service's name or at each endpoint's
    HOST.SVC.NS.svc.CLUSTER         A      one endpoint, HOST being its hostname or its address with dashes
    1-2-3-4.NS.pod.CLUSTER          A      1.2.3.4, in every namespace that exists
    d.c.b.a.in-addr.arpa            PTR    the service or endpoint that has address a.b.c.d
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sampan.api.types.core_v1 import Service
from sampan.api.types.discovery_v1 import Endpoint, EndpointSlice

TTL_SECONDS = 30
SCHEMA_VERSION = "1.1.0"


class Record(NamedTuple):
    name: str
    type_: str
    text: str
    """The data in zone-file form, such as "10.96.0.1" or "0 100 443 kubernetes.default.svc.cluster.local."."""


@dataclass(slots=True)
class Answer:
    """exists is False for NXDOMAIN; `records` may be empty for a name that exists without records of the type."""

    exists: bool
    records: list[Record] = field(default_factory=list)
    additional: list[Record] = field(default_factory=list)


class Directory(Protocol):
    """Where the zone looks things up."""

    def service(self, namespace: str, name: str) -> Service | None: ...

    def slices(self, namespace: str, service: str) -> Iterable[EndpointSlice]: ...

    def namespace_exists(self, name: str) -> bool: ...

    def services_with_ip(self, ip: str) -> Iterable[Service]: ...

    def slices_with_ip(self, ip: str) -> Iterable[EndpointSlice]: ...


NOTHING = Answer(False)


class Zone:
    """The records under `domain`, computed on demand from the directory."""

    def __init__(self, domain: str, directory: Directory) -> None:
        self.domain = domain.lower().strip(".")
        self._suffix = "." + self.domain
        self._directory = directory

    def holds(self, name: str) -> bool:
        """Whether the name is the zone's to answer; other names belong to other servers."""
        return name == self.domain or name.endswith(self._suffix)

    def resolve(self, name: str, type_: str) -> Answer:
        """The answer to a question about a name that the zone holds."""
        if name == self.domain:
            return self._apex(type_)
        labels = name[: -len(self._suffix)].split(".")
        match labels:
            case ["dns-version"]:
                records = [Record(name, "TXT", f'"{SCHEMA_VERSION}"')] if type_ == "TXT" else []
                return Answer(True, records)
            case ["ns", "dns"]:
                return self._service(name, type_, "kube-system", "kube-dns")
            case ["svc"] | ["pod"]:
                return Answer(True)
            case [namespace, "svc" | "pod"]:
                return Answer(self._directory.namespace_exists(namespace))
            case [service, namespace, "svc"]:
                return self._service(name, type_, namespace, service)
            case [host, service, namespace, "svc"]:
                return self._endpoint(name, type_, namespace, service, host)
            case [port, protocol, service, namespace, "svc"]:
                return self._port(name, type_, namespace, service, port, protocol)
            case [address, namespace, "pod"]:
                return self._pod(name, type_, namespace, address)
        return NOTHING

    def reverse(self, name: str) -> Answer | None:
        """PTR records of an in-addr.arpa name; None if nothing in the cluster has that address."""
        octets = name.removesuffix(".in-addr.arpa").split(".")
        ip = ".".join(reversed(octets))
        found = [Record(name, "PTR", f"{self._service_name(service)}.") for service in self._directory.services_with_ip(ip)]
        if not found:
            for slice_ in self._directory.slices_with_ip(ip):
                for endpoint in slice_.endpoints:
                    if ip in endpoint.addresses:
                        found.append(Record(name, "PTR", f"{self._endpoint_name(slice_, endpoint)}."))
        return Answer(True, sorted(set(found))) if found else None

    def start_of_authority(self) -> Record:
        serial = 1  # The zone has no transfers, so nobody compares serials.
        text = f"ns.dns.{self.domain}. hostmaster.{self.domain}. {serial} 7200 1800 86400 {TTL_SECONDS}"
        return Record(self.domain, "SOA", text)

    def _apex(self, type_: str) -> Answer:
        if type_ == "SOA":
            return Answer(True, [self.start_of_authority()])
        if type_ == "NS":
            return Answer(True, [Record(self.domain, "NS", f"ns.dns.{self.domain}.")])
        return Answer(True)

    def _service(self, name: str, type_: str, namespace: str, service_name: str) -> Answer:
        service = self._directory.service(namespace, service_name)
        if service is None:
            return NOTHING
        if service.spec.type == "ExternalName":
            return Answer(True, [Record(name, "CNAME", service.spec.externalName.rstrip(".") + ".")])
        if type_ == "SRV":
            return self._service_ports(name, service, "", "")
        if service.spec.clusterIP != "None":
            return Answer(True, [Record(name, "A", service.spec.clusterIP)] if type_ == "A" else [])
        addresses = {a for _, e in self._ready(namespace, service_name) for a in e.addresses}
        if not addresses:
            return NOTHING
        return Answer(True, [Record(name, "A", a) for a in sorted(addresses)] if type_ == "A" else [])

    def _endpoint(self, name: str, type_: str, namespace: str, service: str, host: str) -> Answer:
        found = {
            address
            for slice_, endpoint in self._ready(namespace, service)
            for address in endpoint.addresses
            if _host_of(endpoint) == host
        }
        if not found:
            return NOTHING
        return Answer(True, [Record(name, "A", a) for a in sorted(found)] if type_ == "A" else [])

    def _port(self, name: str, type_: str, namespace: str, service_name: str, port: str, protocol: str) -> Answer:
        service = self._directory.service(namespace, service_name)
        if service is None or not port.startswith("_") or not protocol.startswith("_"):
            return NOTHING
        answer = self._service_ports(name, service, port[1:], protocol[1:])
        if not answer.records:
            return NOTHING
        return answer if type_ == "SRV" else Answer(True)

    def _service_ports(self, name: str, service: Service, port: str, protocol: str) -> Answer:
        """SRV records of the ports that match (all, where `port` is empty), with the targets' addresses."""
        targets: dict[str, set[int]] = {}
        addresses: dict[str, str] = {}
        if service.spec.clusterIP != "None":
            target = self._service_name(service)
            addresses[target] = service.spec.clusterIP
            for each in service.spec.ports:
                if not port or (each.name, (each.protocol or "TCP").lower()) == (port, protocol):
                    targets.setdefault(target, set()).add(each.port)
        else:
            for slice_, endpoint in self._ready(service.metadata.namespace, service.metadata.name):
                target = self._endpoint_name(slice_, endpoint)
                for offered in slice_.ports:
                    if offered.port and (not port or (offered.name, (offered.protocol or "TCP").lower()) == (port, protocol)):
                        targets.setdefault(target, set()).add(offered.port)
                        addresses[target] = endpoint.addresses[0]
        weight = max(1, 100 // max(1, len(targets)))
        records = [
            Record(name, "SRV", f"0 {weight} {number} {target}.")
            for target in sorted(targets)
            for number in sorted(targets[target])
        ]
        return Answer(True, records, [Record(t, "A", addresses[t]) for t in sorted(targets)])

    def _pod(self, name: str, type_: str, namespace: str, dashed: str) -> Answer:
        if not self._directory.namespace_exists(namespace):
            return NOTHING
        try:
            address = str(ipaddress.IPv4Address(dashed.replace("-", ".")))
        except ValueError:
            return NOTHING
        return Answer(True, [Record(name, "A", address)] if type_ == "A" else [])

    def _ready(self, namespace: str, service: str) -> Iterable[tuple[EndpointSlice, Endpoint]]:
        for slice_ in self._directory.slices(namespace, service):
            if slice_.addressType != "IPv4":
                continue
            for endpoint in slice_.endpoints:
                if endpoint.addresses and (endpoint.conditions is None or endpoint.conditions.ready is not False):
                    yield slice_, endpoint

    def _service_name(self, service: Service) -> str:
        return f"{service.metadata.name}.{service.metadata.namespace}.svc.{self.domain}"

    def _endpoint_name(self, slice_: EndpointSlice, endpoint: Endpoint) -> str:
        service = slice_.metadata.labels.get("kubernetes.io/service-name", "")
        return f"{_host_of(endpoint)}.{service}.{slice_.metadata.namespace}.svc.{self.domain}"


def _host_of(endpoint: Endpoint) -> str:
    return endpoint.hostname or endpoint.addresses[0].replace(".", "-")
