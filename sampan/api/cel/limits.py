"""What CEL may cost in Kubernetes, in units of about 50 ns of upstream's machine.

After k8s.io/apiserver/pkg/apis/cel, k8s.io/apiserver/pkg/cel/limits.go, k8s.io/apiextensions-apiserver's validation and
cel-go's common/cost.go.
"""

from __future__ import annotations

from typing import Final

PER_CALL_LIMIT: Final = 1_000_000
"""Of one evaluation."""
RUNTIME_COST_BUDGET: Final = 10_000_000
"""Of all rules on one object, or of all expressions of one ValidatingAdmissionPolicyBinding."""
RUNTIME_COST_BUDGET_MATCH_CONDITIONS: Final = 2_500_000
STATIC_ESTIMATED_COST_LIMIT: Final = 10_000_000
"""Of one rule of a CustomResourceDefinition."""
STATIC_ESTIMATED_CRD_COST_LIMIT: Final = 100_000_000
"""Of all rules of one schema."""

MAX_REQUEST_SIZE: Final = 3 * 1024 * 1024
"""Bytes; what has no bound of its own is at most as long as a request."""
MAX_DURATION_SIZE: Final = 32
MAX_DATETIME_SIZE: Final = 32
MIN_DURATION_SIZE: Final = 3
DATE_SIZE: Final = 12
MIN_DATETIME_SIZE: Final = 21
MIN_STRING_SIZE: Final = 2
MIN_BOOL_SIZE: Final = 4
MIN_NUMBER_SIZE: Final = 1
MAX_FORMAT_SIZE: Final = 64
MAX_NAME_FORMAT_REGEX_SIZE: Final = 128

MAX_EXPRESSION_LENGTH: Final = 100_000
"""Code points."""
MAX_DEPTH: Final = 250
MAX_SYNTAX_ERRORS: Final = 100
MAX_RECOVERIES: Final = 30

SELECT_COST: Final = 1
LIST_COST: Final = 10
MAP_COST: Final = 30
STRUCT_COST: Final = 40
TRAVERSAL_FACTOR: Final = 0.1
"""Of a string's length, to go through it once."""
REGEX_FACTOR: Final = 0.25
"""Of a pattern's length, for each unit that the string costs."""
AUTHORIZATION_COST: Final = 350_000

MAX_STRING: Final = 64 << 20
"""Code points of what one call may make; no cost is known before it is made, and memory is not without end."""
MAX_LIST: Final = 4 << 20
"""Elements, likewise: upstream joins lists without copying them, and asks next to nothing for it."""
