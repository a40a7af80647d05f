"""Our own rules: what no schema says, and much of it not even a real API server.

A rule takes a rendering and yields a sentence for each fault. `verification/tests/kubernetes` breaks the real
manifests once for each of them.
"""

from collections.abc import Callable, Iterator

from verification.kubernetes.rendering import Rendering
from verification.kubernetes.rules import (
    addresses,
    capacity,
    databases,
    pods,
    references,
    rollouts,
    schedules,
    values,
    ways_in,
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
    *ways_in.RULES,
)
