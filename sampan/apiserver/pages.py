"""Paths that are no resources: health, version, metrics, and the list of all of them."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Iterable, Mapping

from sampan import GIT_VERSION, KUBERNETES_MAJOR, KUBERNETES_MINOR
from sampan.apiserver.answers import json_answer, method_not_allowed, text_answer
from sampan.lib.http import Answer, Handler, Request, Response
from sampan.lib.log import get_logger
from sampan.lib.metrics import CONTENT_TYPE, exposition

log = get_logger("apiserver")

Check = Callable[[], str]
"""Of one thing health depends on: why it is bad, "" if it is well."""


def health_pages(name: str, checks: Mapping[str, Check]) -> dict[str, Handler]:
    """`/healthz` and its kin: the whole, and each check under a path of its own."""

    def whole(request: Request) -> Answer:
        excluded = set(request.repeated("exclude"))
        lines: list[str] = []
        failed: dict[str, str] = {}
        for check, why in checks.items():
            if check in excluded:
                lines.append(f"[+]{check} excluded: ok")
            elif problem := why():
                failed[check] = problem
                # Why is for those who may see the check itself, and for the log.
                lines.append(f"[-]{check} failed: reason withheld")
            else:
                lines.append(f"[+]{check} ok")
        if unknown := sorted(excluded - set(checks)):
            shown = ", ".join(f'"{check}"' for check in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {shown}")
        if failed:
            log.info("a health check failed", name=name, failed=failed)
            return text_answer("\n".join([*lines, f"{name} check failed"]) + "\n", 500)
        if "verbose" not in request.parameters():
            return text_answer("ok")
        return text_answer("\n".join([*lines, f"{name} check passed"]) + "\n")

    def single(why: Check) -> Handler:
        def page(request: Request) -> Answer:
            problem = why()
            return text_answer(f"internal server error: {problem}\n", 500) if problem else text_answer("ok")

        return page

    pages: dict[str, Handler] = {f"/{name}": whole}
    for check, why in checks.items():
        pages[f"/{name}/{check}"] = single(why)
    return pages


def version(request: Request) -> Answer:
    return json_answer(
        {
            "major": KUBERNETES_MAJOR,
            "minor": KUBERNETES_MINOR,
            "emulationMajor": KUBERNETES_MAJOR,
            "emulationMinor": KUBERNETES_MINOR,
            "minCompatibilityMajor": KUBERNETES_MAJOR,
            "minCompatibilityMinor": str(int(KUBERNETES_MINOR) - 1),
            "gitVersion": GIT_VERSION,
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": f"python{platform.python_version()}",
            "compiler": platform.python_implementation(),
            "platform": f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}",
        }
    )


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def metrics(request: Request) -> Answer:
    return Response(200, exposition(), CONTENT_TYPE)


def index(paths: Callable[[], Iterable[str]]) -> Handler:
    def page(request: Request) -> Answer:
        return json_answer({"paths": sorted(paths())})

    return page


def only_reads(page: Handler) -> Handler:
    def handle(request: Request) -> Answer | Awaitable[Answer]:
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        return page(request)

    return handle
