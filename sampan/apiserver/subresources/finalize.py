"""`namespaces/finalize`: the namespace controller says that a deleted namespace's content is gone.

After pkg/registry/core/namespace/storage.FinalizeREST.
"""

from __future__ import annotations

from collections.abc import Awaitable

from sampan.api.errors import FieldError
from sampan.api.groups.strategies import keep_status
from sampan.api.groups.validation.metadata import validate_finalizer_name
from sampan.api.resource import Tree
from sampan.apiserver.answers import method_not_allowed
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Part
from sampan.lib.http import Answer, Handler, Request


def finalize(context: Context) -> Handler:
    endpoint = context.endpoints["", "v1", "namespaces"]

    def validate(new: Tree, old: Tree) -> list[FieldError]:
        finalizers = enumerate(new.get("spec", {}).get("finalizers", ()))
        return [error for index, name in finalizers for error in validate_finalizer_name(name, f"spec.finalizers[{index}]")]

    part = Part("finalize", keep_status, validate)

    def handle(request: Request) -> Answer | Awaitable[Answer]:
        if request.method != "PUT":
            raise method_not_allowed()
        return endpoint.update(request, request.attributes, part)

    return handle
