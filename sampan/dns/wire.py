"""From a query's bytes to the bytes of its answer, by dnspython."""

from __future__ import annotations

import random
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from sampan.dns.zone import TTL_SECONDS, Answer, Record, Zone

DEFAULT_UDP_BYTES = 512
MAX_UDP_BYTES = 1232
"""As agreed at https://www.dnsflagday.net/2020/: larger datagrams get fragmented on the way."""


class Question(NamedTuple):
    message: dns.message.Message
    name: str
    """Lower case, without the final dot."""
    type_: str


class NotAQuestion(Exception):
    """The bytes are not a query that can be answered; `reply` says so to the sender, empty where even that is unsafe."""

    def __init__(self, reply: bytes = b"") -> None:
        super().__init__("not a question")
        self.reply = reply


def parse(data: bytes) -> Question:
    """Raises NotAQuestion."""
    try:
        message = dns.message.from_wire(data, ignore_trailing=True)
    except dns.exception.DNSException as error:
        raise NotAQuestion(_format_error(data)) from error
    if message.flags & dns.flags.QR:
        raise NotAQuestion
    if len(message.question) != 1 or message.opcode() != 0:
        reply = dns.message.make_response(message)
        reply.set_rcode(dns.rcode.NOTIMP)
        raise NotAQuestion(reply.to_wire())
    question = message.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    return Question(message, name, dns.rdatatype.to_text(question.rdtype))


def _format_error(data: bytes) -> bytes:
    """A bare FORMERR with the query's id, if there is as much as an id and it is a query."""
    if len(data) < 12 or data[2] & 0x80:
        return b""
    return data[:2] + bytes([0x80, dns.rcode.FORMERR]) + bytes(8)


def reply(question: Question, answer: Answer, zone: Zone, *, tcp: bool) -> bytes:
    """The zone's authoritative answer, cut to what the client takes over UDP (with TC set) where it is too long."""
    response = dns.message.make_response(question.message, recursion_available=True, our_payload=MAX_UDP_BYTES)
    response.flags |= dns.flags.AA
    records = list(answer.records)
    random.shuffle(records)
    _add(response.answer, records)
    _add(response.additional, answer.additional)
    if not records:
        _add(response.authority, [zone.start_of_authority()])
    if not answer.exists:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return _to_wire(response, question, tcp)


def failure(question: Question, *, tcp: bool) -> bytes:
    """SERVFAIL: nobody could be asked, or the zone is not known yet."""
    response = dns.message.make_response(question.message, recursion_available=True)
    response.set_rcode(dns.rcode.SERVFAIL)
    return _to_wire(response, question, tcp)


def _add(section: list[dns.rrset.RRset], records: list[Record]) -> None:
    sets: dict[tuple[str, str], dns.rrset.RRset] = {}
    for record in records:
        data = dns.rrset.from_text(record.name + ".", TTL_SECONDS, "IN", record.type_, record.text)
        key = (record.name, record.type_)
        if key in sets:
            sets[key].add(data[0])
        else:
            sets[key] = data
            section.append(data)


def _to_wire(response: dns.message.Message, question: Question, tcp: bool) -> bytes:
    if tcp:
        return response.to_wire(max_size=65535)
    taken = question.message.payload if question.message.edns >= 0 else DEFAULT_UDP_BYTES
    limit = max(DEFAULT_UDP_BYTES, min(taken, MAX_UDP_BYTES))
    return response.to_wire(max_size=limit, prefer_truncation=True)
