"""Writes `sampan/kubelet/runtime/cri_pb2.py` and its type stub from `cri.proto`, with the protoc of grpcio-tools.

python tools/generate_cri.py            # write the modules
python tools/generate_cri.py --check    # exit 1 if they are not current
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent.parent / "sampan" / "kubelet" / "runtime"
PRODUCTS = ("cri_pb2.py", "cri_pb2.pyi")


def generate(into: Path) -> None:
    arguments = ["protoc", f"--proto_path={HERE}", f"--python_out={into}", f"--pyi_out={into}", str(HERE / "cri.proto")]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")
    for name in PRODUCTS:
        # protoc's stub leaves a generic without arguments, which strict mypy refuses; lint and format pass both by.
        text = re.sub(r"\b_Mapping\]", "_Mapping[str, object]]", (into / name).read_text())
        (into / name).write_text("# ruff: noqa\n# fmt: off\n" + text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        generate(HERE)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = [n for n in PRODUCTS if not (HERE / n).exists() or (HERE / n).read_bytes() != (Path(scratch) / n).read_bytes()]
    if stale:
        print(f"not current, run tools/generate_cri.py: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
