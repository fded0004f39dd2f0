"""A store from its URL: `sqlite:///var/lib/sampan/state.db`, `etcd://host:2379`, `memory://`."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from sampan.lib.clock import Clock, RealClock
from sampan.store.base import Store

WANTED = "sqlite:///PATH, etcd://HOST:PORT[,HOST:PORT] or memory://"
_FILES = ("ca", "cert", "key")
_ETCD_PORT = 2379


def make_store(url: str, clock: Clock | None = None) -> Store:
    """A store that is not open yet. Raises ValueError for a URL that names none.

    Only the store that is asked for is imported: nobody pays for the library of another.
    """
    parts = urlsplit(url)
    clock = clock or RealClock()
    if parts.scheme == "memory":
        from sampan.store.memory import MemoryStore

        return MemoryStore(clock)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        from sampan.store.sqlite import SQLiteStore

        return SQLiteStore(parts.path, clock)
    if parts.scheme == "etcd" and parts.netloc and parts.path in ("", "/"):
        return _make_etcd(parts, clock)
    raise ValueError(f"{url!r} is not a store: want {WANTED}")


def with_certificates(url: str, ca: str, cert: str, key: str) -> str:
    """The URL of an etcd with those files in its query; of another store, and without files, as it is."""
    query = "&".join(f"{name}={quote(path)}" for name, path in zip(_FILES, (ca, cert, key), strict=True) if path)
    if not query:
        return url
    if not url.startswith("etcd://"):
        raise ValueError(f"certificates are for etcd://…, not for {url!r}")
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _make_etcd(parts: SplitResult, clock: Clock) -> Store:
    from sampan.store.etcd import EtcdStore
    from sampan.store.etcdclient import Credentials

    files = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = [name for name in files if name not in _FILES]
    if unknown:
        raise ValueError(f"an etcd URL has no parameter {unknown[0]!r}: want {', '.join(_FILES)}")
    if bool(files.get("cert")) != bool(files.get("key")):
        raise ValueError("an etcd URL names cert and key both or neither")
    credentials = Credentials(**files) if files else None
    return EtcdStore([_endpoint(host) for host in parts.netloc.split(",")], credentials, clock)


def _endpoint(text: str) -> str:
    host, port = text, ""
    if not text.endswith("]") and ":" in text:
        host, _, port = text.rpartition(":")
    if not host or (port and not port.isdigit()) or "@" in text:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return f"{host}:{port or _ETCD_PORT}"
