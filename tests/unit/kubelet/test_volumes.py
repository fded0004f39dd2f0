"""Volumes' files on a real directory, without mounts."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import pytest

from sampan.api.types.core_v1 import (
    ConfigMap,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    ObjectFieldSelector,
    Pod,
    PodSecurityContext,
    Secret,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)
from sampan.kubelet.env import NotFoundError
from sampan.kubelet.volumes import atomic, configmap, hostpath
from sampan.kubelet.volumes.atomic import File
from sampan.kubelet.volumes.base import VolumeContext, VolumeError
from sampan.kubelet.volumes.payload import of_config_map, of_downward_api, of_secret
from sampan.kubelet.volumes.pod import MountFailure, refreshes, set_up, tear_down, used

from .making import container, pod

OBJECTS = {
    "settings": ConfigMap(data={"a": "1", "b": "2"}, binaryData={"c": base64.b64encode(b"\xff").decode()}),
    "hidden": Secret(data={"word": base64.b64encode(b"sesame").decode()}),
}


def context(of: Pod, directory: Path | None) -> VolumeContext:
    async def find(namespace: str, name: str) -> Any:
        if name not in OBJECTS:
            raise NotFoundError(f'configmap "{name}" not found')
        return OBJECTS[name]

    async def token(audience: str, seconds: int) -> str:
        return f"token-{audience}-{seconds}"

    return VolumeContext(of, directory, find, find, token, ips=["10.244.0.2"], host_ip="10.0.0.1")


def with_volumes(*volumes: Volume, **spec: Any) -> Pod:
    mounts = [VolumeMount(name=v.name, mountPath=f"/{v.name}") for v in volumes]
    return pod(containers=[container(volumeMounts=mounts)], volumes=list(volumes), **spec)


def items(*pairs: tuple[str, str], mode: int | None = None) -> list[KeyToPath]:
    return [KeyToPath(key=k, path=p, mode=mode) for k, p in pairs]


def visible(directory: Path) -> dict[str, bytes]:
    found = {}
    for root, _, files in os.walk(directory, followlinks=True):
        for name in files:
            path = Path(root) / name
            relative = path.relative_to(directory)
            if not relative.parts[0].startswith(".."):
                found[str(relative)] = path.read_bytes()
    return found


def test_files_change_all_at_once_and_only_when_they_differ(tmp_path: Path) -> None:
    assert atomic.write(tmp_path, {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)})
    assert visible(tmp_path) == {"a": b"1", "d/b": b"2"}
    first = os.readlink(tmp_path / "..data")
    assert not atomic.write(tmp_path, {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)})
    assert os.readlink(tmp_path / "..data") == first
    assert atomic.write(tmp_path, {"a": File(b"3", 0o644)})
    assert visible(tmp_path) == {"a": b"3"}
    assert not (tmp_path / first).exists()
    assert os.readlink(tmp_path / "a") == "..data/a"


def test_an_open_directory_keeps_the_old_set_until_it_is_left(tmp_path: Path) -> None:
    atomic.write(tmp_path, {"a": File(b"1", 0o644)})
    with open(tmp_path / "a", "rb") as handle:
        atomic.write(tmp_path, {"a": File(b"2", 0o644)})
        assert handle.read() == b"1"
    assert (tmp_path / "a").read_bytes() == b"2"


def test_keys_are_chosen_placed_and_given_modes() -> None:
    async def run() -> None:
        ctx = context(pod(), None)
        whole = await of_config_map(ctx, "settings", [], 0o644, optional=False)
        assert {k: f.data for k, f in whole.items()} == {"a": b"1", "b": b"2", "c": b"\xff"}
        chosen = await of_config_map(ctx, "settings", items(("a", "x/y"), mode=0o400), 0o644, optional=False)
        assert chosen == {"x/y": File(b"1", 0o400)}
        assert await of_config_map(ctx, "nowhere", [], 0o644, optional=True) == {}
        assert await of_config_map(ctx, "settings", items(("nope", "p")), 0o644, optional=True) == {}
        with pytest.raises(VolumeError, match="references non-existent config key: nope"):
            await of_config_map(ctx, "settings", items(("nope", "p")), 0o644, optional=False)
        with pytest.raises(VolumeError, match="references non-existent secret key: nope"):
            await of_secret(ctx, "hidden", items(("nope", "p")), 0o644, optional=False)
        down = DownwardAPIVolumeFile(path="labels", fieldRef=ObjectFieldSelector(fieldPath="metadata.labels"))
        assert of_downward_api(ctx, [down], 0o644) == {"labels": File(b'app="web"', 0o644)}

    asyncio.run(run())


def test_a_volume_follows_its_config_map(tmp_path: Path) -> None:
    async def run() -> None:
        ctx = context(pod(), tmp_path)
        path = await configmap.set_up(ctx, "v", ConfigMapVolumeSource(name="settings", items=items(("a", "a"))))
        assert path == tmp_path / "volumes" / "kubernetes.io~configmap" / "v"
        assert visible(path) == {"a": b"1"}
        await configmap.set_up(ctx, "v", ConfigMapVolumeSource(name="settings", items=items(("b", "b"))))
        assert visible(path) == {"b": b"2"}

    asyncio.run(run())


def test_every_volume_that_fails_is_named(tmp_path: Path) -> None:
    of = with_volumes(
        Volume(name="good", configMap=ConfigMapVolumeSource(name="settings")),
        Volume(name="gone", configMap=ConfigMapVolumeSource(name="nowhere")),
        Volume(name="nfs", nfs=NFSVolumeSource(server="s", path="/")),
    )
    with pytest.raises(MountFailure) as caught:
        asyncio.run(set_up(context(of, tmp_path)))
    assert caught.value.reasons == {"gone": 'configmap "nowhere" not found', "nfs": "no volume plugin matched"}


def test_only_mounted_volumes_are_set_up() -> None:
    of = with_volumes(Volume(name="a", emptyDir=EmptyDirVolumeSource()))
    of.spec.volumes.append(Volume(name="unused", configMap=ConfigMapVolumeSource(name="nowhere")))
    assert [v.name for v in used(of)] == ["a"]
    assert not refreshes(of)


def test_an_empty_dir_is_for_everybody_and_goes_with_the_pod(tmp_path: Path) -> None:
    of = with_volumes(
        Volume(name="a", emptyDir=EmptyDirVolumeSource()), securityContext=PodSecurityContext(fsGroup=os.getgid())
    )
    paths = asyncio.run(set_up(context(of, tmp_path / "pod")))
    assert paths["a"].stat().st_mode & 0o7777 == 0o2777
    (paths["a"] / "file").write_text("x")
    tear_down(tmp_path / "pod")
    assert not (tmp_path / "pod").exists()


def test_a_node_without_a_disk_checks_what_volumes_refer_to() -> None:
    of = with_volumes(Volume(name="s", secret=SecretVolumeSource(secretName="nowhere")))
    with pytest.raises(MountFailure):
        asyncio.run(set_up(context(of, None)))


HOST_PATHS = [
    ("dir", "", ""),
    ("dir", "Directory", ""),
    ("file", "Directory", "hostPath type check failed: {} is not a directory"),
    ("dir", "File", "hostPath type check failed: {} is not a file"),
    ("nope", "File", "hostPath type check failed: {} is not a file"),
    ("nope", "Directory", "hostPath type check failed: {} is not a directory"),
    ("file", "Socket", "hostPath type check failed: {} is not a socket file"),
    ("file", "CharDevice", "hostPath type check failed: {} is not a character device"),
    ("file", "BlockDevice", "hostPath type check failed: {} is not a block device"),
    ("file", "Odd", "hostPath type check failed: {} is an invalid volume type"),
    ("made", "DirectoryOrCreate", ""),
    ("touched", "FileOrCreate", ""),
]


@pytest.mark.parametrize(("name", "kind", "message"), HOST_PATHS)
def test_a_host_path_must_be_what_the_pod_says(tmp_path: Path, name: str, kind: str, message: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    path = tmp_path / name
    ctx = context(pod(), tmp_path / "pod")
    if message:
        with pytest.raises(VolumeError) as caught:
            asyncio.run(hostpath.set_up(ctx, "v", HostPathVolumeSource(path=str(path), type=kind)))
        assert str(caught.value) == message.format(path)
    else:
        assert asyncio.run(hostpath.set_up(ctx, "v", HostPathVolumeSource(path=str(path), type=kind))) == path
        assert path.exists()
