"""Back up a cluster's state, restore it, or move it from one datastore to another.

    sampan datastore backup --datastore sqlite:///var/lib/sampan/state.db /backup/monday.gz
    sampan datastore restore --datastore etcd://10.0.0.1:2379 /backup/monday.gz
    sampan datastore migrate --from sqlite:///var/lib/sampan/state.db --to etcd://10.0.0.1:2379

A backup may be taken while API servers run, and shows one moment. Restore and migrate want them stopped, refuse a datastore
that holds something unless --force is given, and read back what they wrote. Exit code 0: all is there; 1: it is not, and why.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sampan.cmd import datastoreoptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="backup|restore|migrate")
    backup = verbs.add_parser("backup", help="write everything a datastore holds into a file")
    datastoreoptions.add_arguments(backup)
    backup.add_argument("--force", action="store_true", help="replace the file if it is there")
    backup.add_argument("file", type=Path, metavar="FILE", help="the file to write: lines of JSON, compressed by gzip")
    restore = verbs.add_parser("restore", help="fill a datastore from such a file")
    datastoreoptions.add_arguments(restore)
    restore.add_argument("--force", action="store_true", help="replace what the datastore holds")
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup")
    migrate = verbs.add_parser("migrate", help="copy everything from one datastore into another")
    migrate.add_argument("--from", dest="source", required=True, metavar="URL", help=datastoreoptions.URLS)
    migrate.add_argument("--to", dest="target", required=True, metavar="URL", help="likewise")
    migrate.add_argument("--force", action="store_true", help="replace what the target holds")


def run(arguments: argparse.Namespace) -> int:
    import asyncio

    import uvloop

    from sampan.cmd import datastorework

    if arguments.verb == "migrate":
        work = datastorework.migrate(arguments.source, arguments.target, arguments.force)
    else:
        url = datastoreoptions.url_of(arguments)
        verb = datastorework.backup if arguments.verb == "backup" else datastorework.restore
        work = verb(url, arguments.file, arguments.force)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(datastorework.told(work)))
    return 0
