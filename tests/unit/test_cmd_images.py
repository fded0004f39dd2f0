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
    layer = images.layer({"bin/x": b"ELF"}, links={"bin/y": "x"}, directories=["tmp"])
    members = _members(images.archive([images.Image("localhost/x:1", [layer], entrypoint=["/bin/x"])], "amd64"))
    [manifest] = json.loads(members["manifest.json"])
    config = json.loads(members[manifest["Config"]])
    assert manifest["RepoTags"] == ["localhost/x:1"]
    assert members[manifest["Layers"][0]] == layer
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    assert config["config"]["Entrypoint"] == ["/bin/x"]


def test_a_layer_has_directories_executables_and_links() -> None:
    data = images.layer({"bin/x": b"ELF"}, links={"bin/y": "x"}, directories=["tmp"])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        entries = {member.name: member for member in tar}
    assert entries["bin"].isdir()
    assert entries["bin/x"].mode == 0o755
    assert entries["bin/y"].linkname == "x"
    assert entries["tmp"].mode == 0o1777


def test_images_share_their_common_layer() -> None:
    base = images.layer({"bin/x": b"ELF"})
    pair = [images.Image(f"x:{n}", [base, images.layer({"version": n.encode()})]) for n in ("1", "2")]
    manifest = json.loads(_members(images.archive(pair, "amd64"))["manifest.json"])
    assert len({name for image in manifest for name in image["Layers"]}) == 3


def test_the_same_input_makes_the_same_image() -> None:
    one, two = (images.archive([images.Image("a:1", [images.layer({"a": b"1"})])], "amd64") for _ in range(2))
    assert one == two


@pytest.mark.skipif(not images.BUSYBOX.exists(), reason="needs busybox-static (apt-get install busybox-static)")
def test_busybox_has_a_shell_and_the_versions_differ() -> None:
    one, two = images.busybox()
    with tarfile.open(fileobj=io.BytesIO(one.layers[0])) as tar:
        assert {"bin/sh", "bin/httpd", "bin/wget", "bin/nslookup", "tmp"} <= set(tar.getnames())
    assert one.layers[0] == two.layers[0]
    assert one.layers[1] != two.layers[1]
