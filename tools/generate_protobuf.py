"""Writes the `…_pb2.py` beside each `.proto` of ours, and its type stub, with the protoc of grpcio-tools.

python tools/generate_protobuf.py            # write the modules
python tools/generate_protobuf.py --check    # exit 1 if they are not current
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent / "sampan"
SOURCES = (ROOT / "kubelet" / "runtime" / "cri.proto", ROOT / "store" / "etcd.proto")


def products(source: Path) -> tuple[str, str]:
    return f"{source.stem}_pb2.py", f"{source.stem}_pb2.pyi"


def generate(source: Path, into: Path) -> None:
    arguments = ["protoc", f"--proto_path={source.parent}", f"--python_out={into}", f"--pyi_out={into}", str(source)]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")
    for name in products(source):
        # protoc's stub leaves a generic without arguments, which strict mypy refuses; lint and format pass both by.
        text = re.sub(r"\b_Mapping\]", "_Mapping[str, object]]", (into / name).read_text())
        (into / name).write_text("# ruff: noqa\n# fmt: off\n" + text)


def stale(source: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as scratch:
        generate(source, Path(scratch))
        pairs = [(source.parent / name, Path(scratch) / name) for name in products(source)]
        return [made.name for made, fresh in pairs if not made.exists() or made.read_bytes() != fresh.read_bytes()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        for source in SOURCES:
            generate(source, source.parent)
        return 0
    old = [name for source in SOURCES for name in stale(source)]
    if old:
        print(f"not current, run tools/generate_protobuf.py: {', '.join(old)}", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
