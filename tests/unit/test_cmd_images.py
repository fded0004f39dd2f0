"""Images made without a registry."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from sampan.cmd.cluster import images


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def test_an_archive_is_what_docker_save_writes() -> None:
    data = images.archive(
        ["localhost/x:1"], {"bin/x": b"ELF"}, architecture="amd64", entrypoint=["/bin/x"], links={"bin/y": "x"}
    )
    members = _members(data)
    [manifest] = json.loads(members["manifest.json"])
    config = json.loads(members[manifest["Config"]])
    layer = members[manifest["Layers"][0]]
    assert manifest["RepoTags"] == ["localhost/x:1"]
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    assert config["config"]["Entrypoint"] == ["/bin/x"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        entries = {member.name: member for member in tar}
    assert entries["bin"].isdir()
    assert entries["bin/x"].mode == 0o755
    assert entries["bin/y"].linkname == "x"


def test_the_same_input_makes_the_same_image() -> None:
    one, two = (images.archive(["a:1"], {"a": b"1"}, architecture="amd64") for _ in range(2))
    assert one == two


@pytest.mark.skipif(not images.BUSYBOX.exists(), reason="needs busybox-static (apt-get install busybox-static)")
def test_busybox_has_a_shell_and_the_versions_differ() -> None:
    layers = []
    for version in images.BUSYBOX_VERSIONS:
        members = _members(images.busybox_archive(version, "amd64"))
        with tarfile.open(fileobj=io.BytesIO(members["layer.tar"])) as tar:
            names = set(tar.getnames())
            layers.append(tar.extractfile("etc/image-version").read())  # type: ignore[union-attr]
        assert {"bin/sh", "bin/httpd", "bin/wget", "bin/nslookup", "tmp"} <= names
    assert layers == [b"1\n", b"2\n"]
