"""Print the version of Sampan and of the Kubernetes API it serves."""

from __future__ import annotations

import argparse

import sampan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--short", action="store_true", help="Sampan's own version alone")


def run(arguments: argparse.Namespace) -> int:
    print(sampan.__version__ if arguments.short else f"sampan {sampan.__version__} (Kubernetes {sampan.GIT_VERSION})")
    return 0
