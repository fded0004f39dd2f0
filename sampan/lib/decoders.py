"""msgspec's decoders, made by one thread at a time.

What msgspec knows of a struct is shared by all decoders of it, and there for others before it is whole, for its annotations
are Python to be run. Two threads that make decoders at once, such as those of two clusters in one process, would end it.
Once all is known, any number of threads may decode.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec

_making = threading.Lock()


def make_decoder(type_: Any, hook: Callable[[type, Any], Any] | None = None) -> msgspec.json.Decoder[Any]:
    """Of JSON. After this the type may be given to `msgspec.convert`, too."""
    with _making:
        return msgspec.json.Decoder(type_, dec_hook=hook)
