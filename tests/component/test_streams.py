"""exec, attach, port-forward and logs, from a client through the API server and the node's server to a process."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from sampan.client.config import ClientConfig
from sampan.client.transport import Transport
from sampan.lib.spdy import Session
from sampan.lib.tasks import Tasks
from sampan.lib.websocket import MessageDuplex, WebSocket
from sampan.pki.certificates import CLIENT
from tests.component.conftest import Api
from tests.component.streaming import NAMESPACE, Cluster, on_node, run_spdy

ALL = (("stdin", "true"), ("stdout", "true"), ("stderr", "true"))
OUTPUT = ALL[1:]
V4 = "v4.channel.k8s.io"


def command(*words: str) -> list[tuple[str, str]]:
    return [("command", word) for word in words]


async def messages(socket: WebSocket) -> dict[int, bytes]:
    """Everything until the server closes, by channel."""
    found: dict[int, bytes] = {}
    while (message := await socket.receive()) is not None:
        assert isinstance(message, bytes)
        found[message[0]] = found.get(message[0], b"") + message[1:]
    return found


def test_exec_over_spdy_gives_output_and_success(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        async with cluster.spdy("pods/web/exec", [*OUTPUT, *command("echo", "hello", "world")], V4) as session:
            stdout, stderr, status = await run_spdy(session)
        assert (stdout, stderr, status["status"]) == (b"hello world\n", b"", "Success")

    on_node(api, tmp_path, scenario)


def test_exec_passes_the_exit_code_and_standard_error(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        async with cluster.spdy("pods/web/exec", [*OUTPUT, *command("nonsense")], V4) as session:
            stdout, stderr, status = await run_spdy(session)
        assert (stdout, stderr) == (b"", b"nonsense: not found\n")
        assert status["reason"] == "NonZeroExitCode"
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "127"}]

    on_node(api, tmp_path, scenario)


def test_exec_over_spdy_carries_much_input(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        sent = bytes(range(256)) * 2000
        async with cluster.spdy("pods/web/exec", [*ALL, *command("cat")], V4) as session:
            stdout, _, status = await run_spdy(session, stdin=sent)
        assert (stdout == sent, status["status"]) == (True, "Success")

    on_node(api, tmp_path, scenario)


def test_exec_with_a_terminal_opens_a_resize_stream_and_no_stderr(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        query = [*ALL, ("tty", "true"), *command("echo", "hi")]
        async with cluster.spdy("pods/web/exec", query, V4) as session:
            stdout, _, status = await run_spdy(session, stdin=b"", tty=True)
        assert (stdout, status["status"]) == (b"hi\n", "Success")

    on_node(api, tmp_path, scenario)


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
def test_exec_over_websocket_gives_output_and_status(api: Api, tmp_path: Path, protocol: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        query = [*OUTPUT, *command("sh", "-c", "exit 3")]
        async with cluster.websocket("pods/web/exec", query, protocol) as socket:
            found = await messages(socket)
        assert found[1] == b""
        assert json.loads(found[3])["details"]["causes"][0]["message"] == "3"

    on_node(api, tmp_path, scenario)


def test_a_v5_client_closes_standard_input_and_the_command_ends(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        async with cluster.websocket("pods/web/exec", [*ALL, *command("cat")], "v5.channel.k8s.io") as socket:
            socket.send(b"\x00some ")
            socket.send(b"\x00input")
            socket.send(b"\xff\x00")
            found = await messages(socket)
        assert found[1] == b"some input"
        assert json.loads(found[3])["status"] == "Success"

    on_node(api, tmp_path, scenario)


def test_a_first_version_client_gets_an_error_as_text(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        for protocols in ((), ("channel.k8s.io",)):
            async with cluster.websocket("pods/web/exec", [*OUTPUT, *command("false")], *protocols) as socket:
                found = await messages(socket)
            assert found[3] == b"command terminated with non-zero exit code: exit status 1"

    on_node(api, tmp_path, scenario)


def test_a_base64_client_is_understood(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        query = [*ALL, ("tty", "true"), *command("cat")]
        async with cluster.websocket("pods/web/exec", query, "base64.channel.k8s.io") as socket:
            assert await socket.receive() == "1"
            socket.send("4" + base64.b64encode(b'{"Width":80,"Height":24}').decode())
            socket.send("0" + base64.b64encode(b"typed\x04").decode())
            assert await socket.receive() == "1" + base64.b64encode(b"typed\x04").decode()
            assert await socket.receive() is None

    on_node(api, tmp_path, scenario)


def test_attach_speaks_with_the_containers_process(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        async with cluster.spdy("pods/web/attach", ALL, V4) as session:
            stdout, _, _ = await run_spdy(session, stdin=b"are you there")
        assert stdout == b"are you there"

    on_node(api, tmp_path, scenario)


async def _echoes(session: Session) -> None:
    for number, port in enumerate((80, 443)):
        headers = {"port": str(port), "requestid": str(number)}
        error = await session.open({**headers, "streamtype": "error"})
        error.close()
        data = await session.open({**headers, "streamtype": "data"})
        data.write(b"x" * 300_000)
        data.close()
        assert len(await data.read_all()) == 300_000


def test_port_forward_over_spdy(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        async with cluster.spdy("pods/web/portforward", [], "portforward.k8s.io") as session:
            await _echoes(session)

    on_node(api, tmp_path, scenario)


def test_port_forward_with_spdy_inside_a_websocket(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        async with cluster.websocket("pods/web/portforward", [], "SPDY/3.1+portforward.k8s.io") as socket, Tasks() as tasks:
            session = Session(MessageDuplex(socket), server=False)
            tasks.start(session.run(), "client")
            await _echoes(session)

    on_node(api, tmp_path, scenario)


def test_port_forward_over_websocket_channels(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        async with cluster.websocket("pods/web/portforward", [("ports", "80,443")], V4) as socket:
            opened = {await socket.receive() for _ in range(4)}
            assert opened == {bytes((c,)) + struct.pack("<H", port) for c, port in ((0, 80), (1, 80), (2, 443), (3, 443))}
            socket.send(b"\x02to the second")
            assert await socket.receive() == b"\x02to the second"

    on_node(api, tmp_path, scenario)


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        ("pods/none/exec", command("true"), 404, 'pods "none" not found'),
        ("pods/two/exec", command("true"), 400, "a container name must be specified for pod two, choose one of: [a b]"),
        ("pods/two/exec", [("container", "c"), *command("true")], 400, "container c is not valid for pod two"),
        ("pods/adrift/exec", command("true"), 400, "pod adrift does not have a host assigned"),
        ("pods/lost/exec", command("true"), 404, 'nodes "node-9" not found'),
        ("pods/adrift/portforward", [], 400, "pod adrift does not have a host assigned"),
        ("pods/ended/exec", command("true"), 500, 'container not found ("app")'),
        ("pods/web/exec", [("stdout", "0"), ("stderr", "0")], 400, "you must specify at least 1 of stdin, stdout, stderr"),
    ],
)  # fmt: skip
def test_a_stream_that_cannot_be_is_refused_as_upstream_does(
    api: Api, tmp_path: Path, path: str, query: Sequence[tuple[str, str]], status: int, said: str
) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        await cluster.add_pod("a", "b", name="two")
        await cluster.add_pod("app", name="adrift", node="")
        await cluster.add_pod("app", name="lost", node="node-9")
        await cluster.add_pod("app", name="ended")
        cluster.node.stop("ended-app")
        headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", V4)]
        refused = await cluster.served.transport.upgrade("POST", f"{NAMESPACE}/{path}", query=query, headers=headers)
        assert (refused.status, refused.duplex) == (status, None)
        text = refused.body.decode()
        assert (json.loads(text)["message"] if text.startswith("{") else text) == said

    on_node(api, tmp_path, scenario)


def test_exec_without_an_upgrade_is_a_bad_request(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        answer = await cluster.served.request("POST", f"{NAMESPACE}/pods/web/exec", query=command("true"))
        assert (answer.status, answer.message) == (400, "Upgrade request required")
        answer = await cluster.served.request("DELETE", f"{NAMESPACE}/pods/web/exec")
        assert answer.status == 405

    on_node(api, tmp_path, scenario)


def test_a_node_that_is_away_is_told_as_such(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        await cluster.kubelet.stop(0)
        logs = await cluster.served.get(f"{NAMESPACE}/pods/web/log")
        assert logs.status == 500
        assert f'Get "https://127.0.0.1:{cluster.port}/containerLogs/default/web/app": ' in logs.message
        headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")]
        refused = await cluster.served.transport.upgrade(
            "POST", f"{NAMESPACE}/pods/web/exec", query=command("true"), headers=headers
        )
        assert json.loads(refused.body)["message"].startswith("error dialing backend: ")

    on_node(api, tmp_path, scenario)


LINES = (
    "2024-01-01T00:00:01.000000001Z stdout F one",
    "2024-01-01T00:00:02.000000002Z stderr F two",
    "2024-01-01T00:00:03.000000003Z stdout P thr",
    "2024-01-01T00:00:03.000000004Z stdout F ee",
)


@pytest.mark.parametrize(
    ("query", "status", "expected"),
    [
        ({}, 200, "one\ntwo\nthree\n"),
        ({"tailLines": "1"}, 200, "ee\n"),
        ({"tailLines": "0"}, 200, ""),
        ({"limitBytes": "5"}, 200, "one\nt"),
        ({"sinceTime": "2024-01-01T00:00:02Z"}, 200, "two\nthree\n"),
        ({"sinceSeconds": "60"}, 200, ""),
        ({"stream": "Stderr"}, 200, "two\n"),
        ({"timestamps": "true", "tailLines": "3"}, 200, "".join(f"{line}\n" for line in (
            "2024-01-01T00:00:02.000000002Z two", "2024-01-01T00:00:03.000000003Z three"))),
        ({"tailLines": "-1"}, 422,
         'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'),
        ({"tailLines": "x"}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"sinceTime": "x"}, 400, 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'),
        ({"container": "other"}, 400, "container other is not valid for pod web"),
        ({"previous": "true"}, 400, 'previous terminated container "app" in pod "web" not found'),
    ],
)  # fmt: skip
def test_logs_are_shown_as_asked(api: Api, tmp_path: Path, query: dict[str, str], status: int, expected: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        cluster.node.write_log("web-app", *LINES)
        answer = await cluster.served.get(f"{NAMESPACE}/pods/web/log", query=query)
        assert answer.status == status
        assert (answer.body.decode() if status == 200 else answer.message) == expected

    on_node(api, tmp_path, scenario)


def test_following_a_log_sees_what_is_written_and_ends_with_the_container(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        cluster.node.write_log("web-app", *LINES)
        query = {"follow": "true", "tailLines": "1"}
        async with cluster.served.transport.stream("GET", f"{NAMESPACE}/pods/web/log", query=query) as stream:
            assert await stream.read() == b"ee\n"
            cluster.node.write_log("web-app", "2024-01-01T00:00:09Z stdout F more")
            assert await stream.read() == b"more\n"
            (tmp_path / "web-app.log").rename(tmp_path / "web-app.log.1")
            cluster.node.write_log("web-app", "2024-01-01T00:00:10Z stdout F after rotation")
            assert await stream.read() == b"after rotation\n"
            cluster.node.write_log("web-app", "2024-01-01T00:00:11Z stdout F last words")
            cluster.node.stop("web-app")
            assert await stream.read_all() == b"last words\n"

    on_node(api, tmp_path, scenario)


def test_a_pod_without_a_node_has_no_log_yet(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app", name="adrift", node="")
        answer = await cluster.served.get(f"{NAMESPACE}/pods/adrift/log")
        assert (answer.status, answer.body) == (204, b"")

    on_node(api, tmp_path, scenario)


@pytest.mark.parametrize(
    ("user", "groups", "path", "status"),
    [
        ("admin", ("system:masters",), "/pods", 200),
        ("admin", ("system:masters",), "/metrics", 200),
        ("admin", ("system:masters",), "/nowhere", 404),
        ("someone", (), "/pods", 403),
        ("someone", (), "/healthz", 403),
        (None, (), "/pods", 401),
        (None, (), "/healthz", 401),
    ],
)
def test_the_nodes_server_lets_in_whom_the_api_server_allows(
    api: Api, tmp_path: Path, user: str | None, groups: tuple[str, ...], path: str, status: int
) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        cert, key = cluster.ca.issue(user, groups, usages=(CLIENT,)) if user else (b"", b"")
        async with Transport(ClientConfig(f"https://127.0.0.1:{cluster.port}", cluster.ca.cert_pem, cert, key)) as transport:
            answer = await transport.request("GET", path)
        assert answer.status == status
        if path == "/pods" and status == 200:
            assert [pod["metadata"]["name"] for pod in json.loads(answer.body)["items"]] == ["web"]

    on_node(api, tmp_path, scenario)


def test_the_nodes_server_takes_a_websocket_of_its_own_runtime_or_says_why_not(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        cert, key = cluster.ca.issue("admin", ("system:masters",), usages=(CLIENT,))
        async with Transport(ClientConfig(f"https://127.0.0.1:{cluster.port}", cluster.ca.cert_pem, cert, key)) as transport:
            answer = await transport.request("POST", "/exec/default/web/app", query={"output": "1", "command": "true"})
            assert (answer.status, answer.body) == (400, b"Upgrade request required")

    on_node(api, tmp_path, scenario)
