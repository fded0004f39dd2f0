"""What may differ between upstream's extension API server and ours, each with its reason."""

from __future__ import annotations

import re

_STATUS_THERE = r"^\.(kind: 'Status'|(apiVersion|metadata|status|message|reason|details|code):) .*\| (?!'Status')"
_OBJECT_HERE = r"^\.(kind|apiVersion): '(Status|v1)' \| '|^\.(metadata\.\w+|spec): - \| "
_PROTOBUF = r"^header content-type: \['application/vnd\.kubernetes\.protobuf'\] \| \['application/json'\]$"
_MISSING_PAGE = (
    r"^header content-type: \['text/plain; charset=utf-8'\] \| \['application/json'\]$|"
    r"^header x-content-type-options: \['nosniff'\] \| None$|"
    r"^body: '404 page not found\\n' \| '\{\"kind\":\"Status\".*\"code\":405\}\\n'$"
)
_NOT_ALLOWED_HERE = (
    r"^\.message: .* \| 'the server does not allow this method on the requested resource'$|^\.code: .* \| 405$|"
    r"^\.reason: .* \| 'MethodNotAllowed'$|^\.status: - \| 'Failure'$|^\.(details|metadata): - \| \{\}$|"
    r"^\.details\.(group|kind): .* \| -$|^\.kind: 'APIGroup' \| 'Status'$|^\.(name|versions|preferredVersion): .* \| -$"
)

_UNCONVERTED = r"/v2/namespaces/default/(failing|refusing|distrusted|hostles)s+"
_FAILS_HERE = (
    r"^(status|\.code): (404|422) \| 500$|^\.reason: '(NotFound|Invalid)' \| -$|"
    r"^\.details: \{'name': '(none|bad|Bad)', .* \| -$"
)

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
    ("{'i': 2.5}", r"^\.(message|details\.causes): .*Checked value must be of type integer \(default format\)", "the same"),
    ("'i32': 2147483648", rf"^status: 422 \| 201$|{_STATUS_THERE}|{_OBJECT_HERE}", "the same"),
    ("", r"a (valid label key|qualified name) must consist", "1.34 speaks of label keys"),
    ("'ownerReferences'", r"(name|uid) must not be empty", "1.34 does not repeat the field"),
    (
        "'resourceVersion': '5'.* POST ",
        r"^(status|\.code): 500 \| 400$|^\.reason: - \| 'BadRequest'$",
        "a resourceVersion on create is 400 where upstream has 500",
    ),
    (
        '{"kind":"x","metadata"',
        r"^\.message: \"Object 'apiVersion' is missing .* \| 'the API version in the data \(\) does not match the expected|"
        r"^header warning: \['299 - \"duplicate field .* \| None$",
        "without an apiVersion nothing else is looked at",
    ),
    ("", r"resourceVersion: Invalid value: 0:|'Invalid value: 0: must be specified", "1.33 prints the number in hex"),
    (
        "",
        r"^\.message: 'only the following media types are accepted: .*application/vnd\.kubernetes\.protobuf(;stream=watch)?'"
        r" \| 'only the following media types are accepted: application/json(, application/yaml|;stream=watch)'$",
        "answers are not given in protobuf",
    ),
    (
        r"watch=true.*resourceVersion=|vnd\.kubernetes\.protobuf(,application/json)? GET /(apis/form|version)",
        rf"{_PROTOBUF}|^body: 'k8s.* \| '\{{\"kind\":\"(Status|FormList|Form|APIGroup|APIResourceList)\"|^status: 200 \| 406$",
        "the same",
    ),
    (
        r"^application/vnd\.kubernetes\.protobuf POST",
        r"^status: 0 \| 415$|^header (cache-control|content-type): None \| |^body: '' \| '"
        r"\{\"kind\":\"Status\".*\"code\":415\}",
        "bodies in protobuf are not read; upstream falls over this one",
    ),
    ("^DELETE", r"^\.message: .*DeleteOptions", "bodies that are none are told of in other words"),
    (
        r"GET (/healthz)?/none$",
        r"^header content-type: \['application/json'\] \| \['text/plain; charset=utf-8'\]$|"
        r"^header x-content-type-options: None \| \['nosniff'\]$|^body: '\{\\n  \"paths\": .* \| '404 page not found\\n'$",
        "a path of nobody is a kube-apiserver's 404",
    ),
    (r" /version$", r"^\.(minor|minCompatibilityMinor|git\w+|goVersion|compiler): '.*' \| '.*'$", "another program"),
    (
        r" /version$",
        rf"^status: 406 \| 200$|{_STATUS_THERE}|^\.\w+: - \| '.*'$|{_PROTOBUF}|"
        r"^header content-type: \['application/yaml'\] \| \['application/json'\]$|^body: .*406: Not Accept.* \| '\{",
        "it is JSON whatever is accepted",
    ),
    (
        r" /openapi/v3$",
        r"^header (accept-ranges|etag|last-modified): \['.*'\] \| None$|"
        r"^\.paths\.(version|apis/apiextensions\.k8s\.io): .* \| -$|^\.paths\.(api|apis/[a-z0-9.]+)/v\d\w*: - \| ",
        "another program's groups; the index has no ETag",
    ),
    (
        r"^(HEAD|OPTIONS|TRACE|POST|PUT|PATCH|DELETE) /apis/verb\.example\.com",
        rf"^status: \d+ \| 405$|{_NOT_ALLOWED_HERE}",
        "405 before anything is looked at",
    ),
    (
        r'"op": "(odd|add)"',
        r"^(status|\.code): 400 \| 422$|^\.reason: 'BadRequest' \| 'Invalid'$|^\.details: - \| \{\}$|"
        r"^\.message: 'invalid operation .* \| 'the server rejected our request due to an error in our request'$",
        "JSON patches are judged when they are carried out, not when they are read",
    ),
    (
        r"/paths/\.\.$",
        r"^(status|\.code): 400 \| 404$|^\.reason: 'BadRequest' \| 'NotFound'$|^\.details: - \| \{'name': '\.\.'|"
        r"^\.message: 'Name parameter invalid: .* not found'$",
        "no object has such a name",
    ),
    (r"^(OPTIONS|TRACE) /apis/verb\.example\.com/v1/verbs$", _MISSING_PAGE, "405 before anything is looked at"),
    (r"/proxy/paths$", rf"^status: 404 \| 405$|{_MISSING_PAGE}", "no client writes this path"),
    ("openapi v2 paths", r"/scale\.", "the scale's own kind rather than that of what is scaled"),
    (
        "watch=true.*sendInitialEvents",
        r"initial-events-list-blueprint: - \| |metadata\.creationTimestamp: - \| None$",
        "1.33 says both",
    ),
    (
        "Table.*watch=true.*sendInitialEvents",
        r"^status: 200 \| 406$|^: \[\{'type': 'ADDED', .* \| \{'kind': 'Status', .*'reason': 'NotAcceptable', 'code': 406\}$",
        "1.33 does not get the end of a streamed list into a table",
    ),
    (
        "watch=true.*continue",
        r"^status: 422 \| 200$|^: \{'kind': 'Status', .*is forbidden when continue is provided.* \| \[\{'type': 'ADDED'",
        "with streaming lists on, upstream takes any such watch for one",
    ),
    ("watch=true.*allowWatchBookmarks=x", r"^: \[.*'k8s\.io/initial-events-end': 'true'.* \| (?!.*BOOKMARK)", "the same"),
    ("customresourcedef", r"google\.protobuf\.Timestamp", "messages cannot be constructed here"),
    ("customresourcedef", r"^header warning: .*unrecognized format", "1.34 warns of formats it does not know"),
    (
        rf"(GET|DELETE) .*{_UNCONVERTED}/none$|POST .*{_UNCONVERTED}$",
        rf"{_FAILS_HERE}|^\.message: '.* (\"none\" not found|is invalid: spec: Invalid value: no bad host)' \| ",
        "one object that cannot be converted fails its whole version",
    ),
    (
        rf"(POST .*{_UNCONVERTED}(\?dryRun=All)?|PATCH .*{_UNCONVERTED}/applied\?.*)$",
        r"^\.message: [\"'](conversion webhook for \w+\.example\.com/v2, |Object \\'Kind\\' is).* \| "
        r"[\"'](conversion webhook for \w+\.example\.com/v1, |Object \\'Kind\\' is)",
        "the same, by the first of these objects",
    ),
    (
        r"^(service without|empty service).* /apis/apiextensions",
        r"'Required value' \| 'Required value: service (name|namespace) is required'$|"
        r"^\.message: .*service\.(name|namespace): Required value[,'\]].* \| .*Required value: service \w+ is required",
        "1.34 says it without the words",
    ),
    (
        "^number .*/customresourcedefinitions",
        r"of type v1\.ConversionStrategyType['\"] \| .* of type string['\"]$",
        "a string's type goes by no name",
    ),
    (
        "/customresourcedefinitions",
        r"Invalid value: \"aGVsbG8=\": unable to load root .* \| .*Invalid value: <value>: unable to load root",
        "1.33 prints the bytes",
    ),
    (
        "^broken bundle ",
        rf"^status: 422 \| 200$|{_STATUS_THERE}|{_OBJECT_HERE}",
        "that a certificate is one is found with the first call",
    ),
    (
        r"/reads|^in another form ",
        r"managedFields\[\d\]\.fieldsV1\.f:spec\.f:at: - \| \{\}$|"
        r"^\.metadata\.managedFields: (?!.*'f:at'.* \| ).* \| .*'f:at': \{\}",
        "who owns a field that only another version has keeps it, as the webhook is not asked for it",
    ),
    (
        r"^in another form PATCH .*dryRun=All$",
        rf"^status: 409 \| 200$|{_STATUS_THERE}|{_OBJECT_HERE}",
        "the same",
    ),
    (
        r"^of another version PUT ",
        r"^header warning: \['299 - \"unknown field .* \| None$",
        "without the version's apiVersion nothing else is looked at",
    ),
    (
        "customresourcedef",
        r"Required value[:'\"].* \| .*Required value: schemas are required",
        "1.34 says it without the words",
    ),
)


def known(request: str, line: str) -> bool:
    return any(re.search(where, request) and re.search(what, line) for where, what, _ in KNOWN)
