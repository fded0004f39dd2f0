"""The admission plugins that are on, in upstream's order."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.apiserver.admission.chain import Plugin
from sampan.apiserver.authz.escalation import EscalationCheck
from sampan.apiserver.context import Context


def default_plugins(context: Context) -> Sequence[Plugin]:
    return (EscalationCheck(context.authorizer),)
