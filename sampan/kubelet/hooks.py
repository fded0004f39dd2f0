"""postStart and preStop hooks, worded as the kubelet words their failures."""

from __future__ import annotations

from sampan.api.types.core_v1 import LifecycleHandler, Pod
from sampan.lib.clock import Clock

from .labels import AnyContainer, pod_name
from .probeactions import Result, run_http
from .runtime.base import Runtime, RuntimeFailure

HTTP_SECONDS = 30.0


class HookError(Exception):
    """The hook ran and failed; the text is for the user."""


async def run_hook(
    handler: LifecycleHandler, pod: Pod, container: AnyContainer, container_id: str, ip: str, runtime: Runtime, clock: Clock
) -> None:
    where = f'for Container "{container.name}" in Pod "{pod_name(pod)}" failed'
    if handler.exec is not None:
        command = handler.exec.command
        shown = " ".join(command)
        try:
            answer = await runtime.exec_sync(container_id, command, 0)
        except RuntimeFailure as failure:
            raise HookError(f"Exec lifecycle hook ([{shown}]) {where} - error: {failure}") from None
        if answer.exit_code:
            output = (answer.stdout + answer.stderr)[:1024].decode(errors="replace")
            raise HookError(
                f"Exec lifecycle hook ([{shown}]) {where} - error: command '{shown}' exited with {answer.exit_code}: "
                f'{answer.stderr[:1024].decode(errors="replace")}, message: "{output}"'
            )
    elif handler.httpGet is not None:
        outcome = await run_http(handler.httpGet, container, ip, HTTP_SECONDS)
        # Any answer counts: a hook delivers a message, it does not ask.
        if outcome.result is not Result.SUCCESS and "statuscode" not in outcome.output:
            raise HookError(f"HTTP lifecycle hook ({handler.httpGet.path}) {where} - error: {outcome.output}")
    elif handler.sleep is not None:
        await clock.sleep(handler.sleep.seconds)
