"""The options that name a datastore, for the API server and for `sampan datastore`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sampan.cmd.cluster.shell import ClusterError

if TYPE_CHECKING:
    from sampan.lib.clock import Clock
    from sampan.store.base import Store

URLS = "sqlite:///PATH, etcd://HOST:PORT[,HOST:PORT][?ca=FILE&cert=FILE&key=FILE] or memory://"


def add_arguments(parser: argparse.ArgumentParser, default: str = "") -> None:
    """`default`: what stands for no --datastore, in words; without them it must be given."""
    add = parser.add_argument
    tail = f" ({default})" if default else ""
    add("--datastore", default="", required=not default, metavar="URL", help=f"where the cluster's state is: {URLS}{tail}")
    add("--datastore-cafile", default="", metavar="FILE", help="the CA whose certificates are believed of etcd")
    add("--datastore-certfile", default="", metavar="FILE", help="the client certificate shown to etcd")
    add("--datastore-keyfile", default="", metavar="FILE", help="its key")


def url_of(arguments: argparse.Namespace) -> str:
    """Raises ClusterError."""
    from sampan.store.factory import with_certificates

    try:
        return with_certificates(
            arguments.datastore, arguments.datastore_cafile, arguments.datastore_certfile, arguments.datastore_keyfile
        )
    except ValueError as error:
        raise ClusterError(f"--datastore: {error}") from None


def store_of(arguments: argparse.Namespace, clock: Clock) -> Store:
    """Not open yet. Raises ClusterError."""
    return make(url_of(arguments), "--datastore", clock)


def make(url: str, option: str, clock: Clock) -> Store:
    """Raises ClusterError that names the option."""
    from sampan.store.factory import make_store

    try:
        return make_store(url, clock)
    except ValueError as error:
        raise ClusterError(f"{option}: {error}") from None
