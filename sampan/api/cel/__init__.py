"""CEL, the Common Expression Language, as Kubernetes speaks it: rules of custom resources, policies, match conditions.

    declaration = declaration_of(schema)                                   # types and bounds of a structural schema
    environment = Environment({"self": declaration.cel_type})
    program = environment.compile("self.replicas <= self.maxReplicas")     # CelError: what cel-go says of it
    program.output_type                                                    # BOOL
    program.estimate_cost(declaration)                                     # Cost(min=5, max=5)
    program.evaluate({"self": adapter_of(schema)(tree)}, budget=PER_CALL_LIMIT)

Text goes through `lexer`, `parser` and `macros` to a tree (`syntax`), which `checker` gives types and `validators` a last look;
`compiler` makes closures of it that count what they cost. Functions come from `standard` and `libraries`. `schemas` declares
the types of structural schemas, `schema_values` shows JSON trees as values of them. All is pure, and nothing here reads types
of Go: wording, costs and limits are those of cel-go 0.23 in Kubernetes 1.33.
"""

from __future__ import annotations

from sampan.api.cel import limits, types
from sampan.api.cel.environment import Environment, Program
from sampan.api.cel.errors import CelError, CelProgramError, CelRuntimeError, CostExceeded
from sampan.api.cel.estimate import Cost, Sizes
from sampan.api.cel.libraries import KUBERNETES
from sampan.api.cel.schema_values import adapter_of, schema_value
from sampan.api.cel.schemas import Declaration, cel_type_of, declaration_of
from sampan.api.cel.types import CelType
from sampan.api.cel.values import NONE, Duration, LazyMap, Optional, Timestamp, Uint, Value

__all__ = [
    "KUBERNETES",
    "NONE",
    "CelError",
    "CelProgramError",
    "CelRuntimeError",
    "CelType",
    "Cost",
    "CostExceeded",
    "Declaration",
    "Duration",
    "Environment",
    "LazyMap",
    "Optional",
    "Program",
    "Sizes",
    "Timestamp",
    "Uint",
    "Value",
    "adapter_of",
    "cel_type_of",
    "declaration_of",
    "limits",
    "schema_value",
    "types",
]
