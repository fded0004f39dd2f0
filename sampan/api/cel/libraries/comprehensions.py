"""Comprehensions over two variables: `map.all(key, value, …)`, `list.transformMap(index, value, …)`.

After github.com/google/cel-go/ext/comprehensions.go. The functions below stand in what the macros write out, for the checker;
what they do, `loops` does.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.declarations import Library, declared
from sampan.api.cel.macros import TWO_VARIABLES

_DECLARATIONS = """
    @mapInsert_map_key_value    cel.@mapInsert(map<K, V>, K, V) -> map<K, V>
    @mapInsert_map_map          cel.@mapInsert(map<K, V>, map<K, V>) -> map<K, V>
"""

LIBRARY: Final = Library("cel.lib.ext.comprev2", declared(_DECLARATIONS), TWO_VARIABLES, since=32)
