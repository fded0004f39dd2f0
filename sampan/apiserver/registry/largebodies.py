"""Large bodies that take long to decode: in a thread, so that the event loop goes on answering everybody else.

An object that the fast pass takes stays on the loop: that is C all through, which no thread would do beside the loop. What is
left (patches, YAML, protobuf, broken JSON) is Python, of which a thread lets go every few milliseconds. One thread is for
all servers of the process, as there is one interpreter lock for it: a second would take nobody's turn but the loop's. Large
bodies wait for each other instead, and who gives up waiting is passed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from sampan.api.errors import StatusError

Decoded = TypeVar("Decoded")

LARGE_BYTES: Final = 64 << 10
"""Beyond this decoding may take longer than a turn in a thread costs, which is some milliseconds where the loop is busy."""
_thread = ThreadPoolExecutor(1, thread_name_prefix="large bodies")


async def in_turn(decode: Callable[..., Decoded], *about: Any) -> Decoded:
    """What a call gives or raises that may take long, made in the thread."""
    return await asyncio.get_running_loop().run_in_executor(_thread, partial(decode, *about))


async def ahead(body: bytes, decode: Callable[..., Decoded], *about: Any) -> Callable[[], Decoded]:
    """A call that is due later, when it is known that there is an object to decode for: of a large body made now, in its turn,
    and its outcome kept, a StatusError too."""
    if len(body) <= LARGE_BYTES:
        return partial(decode, *about)
    try:
        decoded = await in_turn(decode, *about)
    except StatusError as error:
        return partial(_refuse, error)
    return lambda: decoded


def _refuse(error: StatusError) -> NoReturn:
    raise error
