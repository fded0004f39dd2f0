"""CRIRuntime against a real containerd."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from sampan.kubelet.runtime.base import ContainerConfig, RuntimeFailure, SandboxConfig, State
from sampan.kubelet.runtime.cri import CRIRuntime
from sampan.kubelet.runtime.cri_messages import POD_UID_LABEL

from .testbed import BUSYBOX, TestBed


def sandbox(bed: TestBed, uid: str) -> SandboxConfig:
    logs = bed.root / "logs" / uid
    logs.mkdir(parents=True)
    return SandboxConfig(
        name=uid,
        namespace="default",
        uid=uid,
        hostname=uid,
        log_directory=str(logs),
        labels={POD_UID_LABEL: uid},
        cgroup_parent=f"/{bed.namespace}/pod{uid}",
    )


def text_of(path: str) -> str:
    return Path(path).read_text()


def test_a_container_runs_writes_its_log_and_reports_its_exit_code(bed: TestBed) -> None:
    async def scenario() -> None:
        runtime = CRIRuntime(bed.socket)
        config = sandbox(bed, "u1")
        began = time.monotonic()
        sandbox_id = await runtime.run_sandbox(config)
        assert (await runtime.sandbox_status(sandbox_id)).ips[0].startswith("10.244.77.")
        image = await runtime.image_status(BUSYBOX)
        assert image is not None
        container = ContainerConfig(
            name="c", image=image.id, command=["sh", "-c", "echo hello; exit 3"], labels={POD_UID_LABEL: "u1"}, log_path="c.log"
        )
        container_id = await runtime.create_container(sandbox_id, container, config)
        await runtime.start_container(container_id)
        print("sandbox and container took", time.monotonic() - began)
        while (status := await runtime.container_status(container_id)).state is not State.EXITED:
            assert time.monotonic() - began < 10
            await asyncio.sleep(0.02)
        assert (status.exit_code, status.reason) == (3, "Error")
        assert text_of(status.log_path).endswith("stdout F hello\n")
        assert [c.id for c in await runtime.list_containers("u1")] == [container_id]
        await runtime.stop_sandbox(sandbox_id)
        await runtime.remove_sandbox(sandbox_id)
        assert await runtime.list_sandboxes("u1") == []
        await runtime.close()

    asyncio.run(scenario())


def test_what_the_runtime_refuses_is_worded_as_grpc_does(bed: TestBed) -> None:
    async def scenario() -> None:
        runtime = CRIRuntime(bed.socket)
        config = sandbox(bed, "u2")
        sandbox_id = await runtime.run_sandbox(config)
        image = await runtime.image_status(BUSYBOX)
        assert image is not None
        container = ContainerConfig(name="c", image=image.id, command=["/nope"], labels={POD_UID_LABEL: "u2"}, log_path="c.log")
        container_id = await runtime.create_container(sandbox_id, container, config)
        with pytest.raises(RuntimeFailure) as caught:
            await runtime.start_container(container_id)
        print(caught.value)
        status = await runtime.container_status(container_id)
        print(status)
        assert (status.exit_code, status.reason) == (128, "StartError")
        with pytest.raises(RuntimeFailure) as missing:
            await runtime.container_status("nothing")
        assert missing.value.code == "NotFound"
        await runtime.stop_container("nothing", 0)
        assert await runtime.image_status("sampan.local/nothing:1") is None
        with pytest.raises(RuntimeFailure) as caught:
            await runtime.pull_image("127.0.0.1:1/nothing:1", None, None)
        print(caught.value)
        with pytest.raises(RuntimeFailure) as caught:
            await runtime.exec_sync(container_id, ["true"], 1)
        print(caught.value)
        await runtime.stop_sandbox(sandbox_id)
        await runtime.remove_sandbox(sandbox_id)
        await runtime.close()

    asyncio.run(scenario())
