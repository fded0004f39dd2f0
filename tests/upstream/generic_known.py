"""What may differ between upstream's extension API server and ours, each with its reason."""

from __future__ import annotations

import re

KNOWN: tuple[tuple[str, str, str], ...] = (
    # (request, line of difference, why): regular expressions that must be found in both.
    (
        "customresourcedef",
        r"must (not contain line breaks|be non-empty if specified|be a valid path)",
        "1.34 does not repeat the field",
    ),
    ("", r"apiVersion: Required value(, |')", "1.34 does not say that what is required must not be empty"),
    ("", r"(apiVersion|kind): Required value|'Required value' \| 'Required value: must not be empty'", "the same"),
    (
        "",
        r"<nil>: Invalid value: .*(Checked|Maximum|Minimum|MultipleOf).* value must be of type",
        "1.34 checks numbers by format",
    ),
    ("", r"<nil>|'i32': 2147483648", "the same"),
    ("'i32': 2147483648", r"^\.|^status", "the same"),
    ("", r"a (valid label key|qualified name) must consist", "1.34 speaks of label keys"),
    ("'ownerReferences'", r"(name|uid) must not be empty", "1.34 does not repeat the field"),
    ("'resourceVersion': '5'", r"", "a resourceVersion on create is 400 where upstream has 500"),
    ('{"kind":"x","metadata"', r"", "without an apiVersion nothing else is looked at"),
    ("", r"resourceVersion: Invalid value: 0:|'Invalid value: 0: must be specified", "1.33 prints the number in hex"),
    ("", r"application/vnd.kubernetes.protobuf", "answers are not given in protobuf"),
    ("^DELETE", r"DeleteOptions", "bodies that are none are told of in other words"),
    (
        "",
        r"404 page not found|text/plain; charset=utf-8|^header x-content-type-options",
        "a path of nobody is a kube-apiserver's 404",
    ),
    (r" /(version|openapi/v3|apis/?|none)( |$|\?)", r"", "another program's version, groups and documents"),
    (
        r"^TRACE|vnd.kubernetes.protobuf|^HEAD|^OPTIONS|application/vnd.kubernetes.protobuf POST",
        r"",
        "no such methods and forms here",
    ),
    (
        r"^(POST|PUT|PATCH|DELETE) /apis/verb.example.com(/v1/verbs|/v1/namespaces/default/verbs(/a(/status)?)?)?$",
        r"",
        "405 for them all",
    ),
    (r'"op": "(odd|add)"', r"", "errors of JSON patches are worded otherwise"),
    (r"/paths(/\.\.|//a)$|/proxy/paths$", r"", "paths that no client writes"),
    ("openapi v2 paths", r"/scale\.", "the scale's own kind rather than that of what is scaled"),
    (
        "watch=true.*sendInitialEvents",
        r"initial-events-list-blueprint|metadata.creationTimestamp: - \\| None",
        "1.33 says both",
    ),
    ("Table.*watch=true.*sendInitialEvents", r"", "1.33 does not get the end of a streamed list into a table"),
    ("watch=true.*(continue|allowWatchBookmarks=x)", r"", "with streaming lists on, upstream takes any such watch for one"),
    ("customresourcedef", r"google\.protobuf\.Timestamp", "messages cannot be constructed here"),
    ("customresourcedef", r"^header warning: .*unrecognized format", "1.34 warns of formats it does not know"),
    (
        "customresourcedef",
        r"Required value[:'\"].* \| .*Required value: schemas are required",
        "1.34 says it without the words",
    ),
)


def known(request: str, line: str) -> bool:
    return any(re.search(where, request) and re.search(what, line) for where, what, _ in KNOWN)
