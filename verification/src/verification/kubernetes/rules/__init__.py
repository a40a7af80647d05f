"""Our own rules: what no schema and hardly any API server checks.

A rule takes a rendering and yields a message for each fault. `verification/tests/kubernetes` breaks the real
manifests at least once for each of them.
"""

from collections.abc import Callable, Iterator

from verification.kubernetes.rendering import Rendering
from verification.kubernetes.rules import (
    addresses,
    capacity,
    databases,
    ingress,
    pods,
    references,
    rollouts,
    schedules,
    values,
)

Rule = Callable[[Rendering], Iterator[str]]

RULES: tuple[Rule, ...] = (
    *values.RULES,
    *references.RULES,
    *addresses.RULES,
    *pods.RULES,
    *rollouts.RULES,
    *capacity.RULES,
    *databases.RULES,
    *schedules.RULES,
    *ingress.RULES,
)
