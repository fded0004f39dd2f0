"""Real kubectl, every version found, through the API server to a node: SPDY from old ones, WebSocket from 1.30 on."""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from sampan.client import kubeconfig
from tests.component.conftest import Api
from tests.component.streaming import Cluster, on_node

SECONDS = 20


def kubectls() -> list[str]:
    """The one on the PATH, and others of other versions beside it."""
    found = shutil.which("kubectl")
    if found is None:
        return []
    beside = sorted(Path(found).resolve().parent.glob("kubectl.1.*"))
    return [str(path) for path in beside] or [found]


pytestmark = [
    pytest.mark.skipif(not kubectls(), reason="no kubectl on the PATH"),
    pytest.mark.parametrize("kubectl", kubectls(), ids=lambda path: Path(path).name),
]


class Kubectl:
    def __init__(self, path: str, cluster: Cluster, directory: Path) -> None:
        config = directory / "kubeconfig"
        config.write_text(kubeconfig.dump(cluster.served.admin))
        self._command = (path, "--kubeconfig", str(config), "--cache-dir", str(directory / "cache"))

    async def __call__(self, *words: str, stdin: bytes = b"") -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(*self._command, *words, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate(stdin)
        return process.returncode, out.decode(), err.decode()

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(*self._command, *words, stdout=PIPE)


def test_exec_gives_output_input_and_exit_codes(api: Api, tmp_path: Path, kubectl: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        run = Kubectl(kubectl, cluster, tmp_path)
        assert await run("exec", "web", "--", "echo", "hi") == (0, "hi\n", "")
        code, out, err = await run("exec", "web", "--", "sh", "-c", "exit 5")
        assert (code, out, err.strip()) == (5, "", "command terminated with exit code 5")
        sent = "a line of input\n" * 20_000
        assert await run("exec", "-i", "web", "--", "cat", stdin=sent.encode()) == (0, sent, "")

    on_node(api, tmp_path, scenario)


def test_what_cannot_be_is_told(api: Api, tmp_path: Path, kubectl: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        run = Kubectl(kubectl, cluster, tmp_path)
        _, _, err = await run("exec", "web", "-c", "other", "--", "true")
        assert "container other is not valid for pod web" in err
        cluster.node.stop("web-app")
        code, _, err = await run("exec", "web", "--", "true")
        assert (code, err.strip()) == (1, 'error: unable to upgrade connection: container not found ("app")')

    on_node(api, tmp_path, scenario)


def test_logs_are_read_and_followed(api: Api, tmp_path: Path, kubectl: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        cluster.node.write_log("web-app", "2024-01-01T00:00:01Z stdout F one", "2024-01-01T00:00:02Z stderr F two")
        run = Kubectl(kubectl, cluster, tmp_path)
        assert await run("logs", "web") == (0, "one\ntwo\n", "")
        assert await run("logs", "web", "--tail=1", "--timestamps") == (0, "2024-01-01T00:00:02Z two\n", "")
        following = await run.start("logs", "-f", "web", "--tail=1")
        assert following.stdout is not None
        async with asyncio.timeout(SECONDS):
            assert await following.stdout.readline() == b"two\n"
            cluster.node.write_log("web-app", "2024-01-01T00:00:03Z stdout F three")
            assert await following.stdout.readline() == b"three\n"
            cluster.node.stop("web-app")
            assert await following.wait() == 0

    on_node(api, tmp_path, scenario)


def test_a_port_is_forwarded_for_one_connection_after_another(api: Api, tmp_path: Path, kubectl: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        forwarding = await Kubectl(kubectl, cluster, tmp_path).start("port-forward", "pod/web", ":80")
        assert forwarding.stdout is not None
        async with asyncio.timeout(SECONDS):
            line = (await forwarding.stdout.readline()).decode()
            match = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> 80", line)
            assert match, line
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", int(match[1]))
                writer.write(b"x" * 100_000)
                writer.write_eof()
                assert await reader.read() == b"x" * 100_000
                writer.close()
            forwarding.terminate()
            await forwarding.wait()

    on_node(api, tmp_path, scenario)


def test_attach_speaks_with_the_containers_process(api: Api, tmp_path: Path, kubectl: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        code, out, _ = await Kubectl(kubectl, cluster, tmp_path)("attach", "-i", "web", stdin=b"are you there\n")
        assert (code, out) == (0, "are you there\n")

    on_node(api, tmp_path, scenario)
