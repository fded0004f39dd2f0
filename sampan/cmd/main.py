"""The `sampan` command: which subcommand, then that subcommand's module, and no other import.

A subcommand is a module with `add_arguments(parser)` and `run(arguments) -> exit code`; it is imported when it is called.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""Our objects are trees that reference counting frees; the cycle collector need not look at them as often as it would. Set
before anything is imported: it would look through every module's functions and classes several times meanwhile."""


class Command(NamedTuple):
    module: str
    help: str


class CommandModule(Protocol):
    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


COMMANDS = {
    "up": Command("up", "start a cluster on this machine, or repair the one that is there"),
    "down": Command("down", "remove a cluster from this machine, with everything it made"),
    "status": Command("status", "how the processes and nodes of a cluster are"),
    "kubeconfig": Command("kubeconfig", "print the administrator's kubeconfig of a cluster"),
    "logs": Command("logs", "show the log of a component"),
    "image": Command("image", "load images into the nodes of a cluster, or list them"),
    "apiserver": Command("apiserver", "run the API server alone"),
    "controller-manager": Command("controller_manager", "run the controllers alone"),
    "scheduler": Command("scheduler", "run the scheduler alone"),
    "agent": Command("agent", "run a node's agent alone: kubelet, service proxy, DNS and pod routes"),
    "datastore": Command("datastore", "back up a cluster's state, restore it, or move it to another datastore"),
    "version": Command("version", "print the version"),
}


def main(argv: Sequence[str] | None = None) -> int:
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    name, *rest = arguments
    command = COMMANDS.get(name.removeprefix("--") if name == "--version" else name)
    if command is None:
        print(f"sampan: there is no command {name!r}: see sampan --help", file=sys.stderr)
        return 2
    module = cast(CommandModule, importlib.import_module(f"sampan.cmd.{command.module}"))
    parser = argparse.ArgumentParser(prog=f"sampan {name}", description=module.__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    module.add_arguments(parser)
    return _run(module, parser.parse_args(rest))


def _run(module: CommandModule, arguments: argparse.Namespace) -> int:
    from sampan.cmd.cluster.shell import ClusterError

    try:
        return module.run(arguments)
    except ClusterError as error:
        print(f"sampan: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away, as `sampan logs | head` does; Python must not complain when it flushes at exit.
        sys.stdout = None
        return 0


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    head = ["Sampan: Kubernetes written in Python.", "", "usage: sampan COMMAND [OPTIONS]", ""]
    return "\n".join([*head, *lines, "", "`sampan COMMAND --help` tells a command's options."])


if __name__ == "__main__":
    sys.exit(main())
