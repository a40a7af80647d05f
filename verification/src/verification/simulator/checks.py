"""What must hold of one run: after every call, of every alert and error, and at quiescence."""

from collections.abc import Iterable, Set
from typing import TYPE_CHECKING, Any
from uuid import UUID

from payment.repository.memory import Store
from payment.service_layer.alerts import Alert
from sandbox.mutable_world import MutableWorld
from verification.simulator.ledger import Ledger
from verification.simulator.trace import Trace
from verification.world import invariants
from verification.world.use_cases import OVERDUE_ALERTS, UNKNOWN_OUTCOME

if TYPE_CHECKING:
    from payment.domain.payment import Payment

ALERTS_BY_MERCHANT = frozenset({Alert.PAYMENT_HELD, Alert.PAYMENT_INCIDENT})
"""Alerts that are allowed besides, of an intent that the merchant changed."""
VIOLATIONS_BY_MERCHANT = (invariants.NOT_AS_REQUESTED, invariants.WITHOUT_CAUSE)


class Checks:
    """Collects the violations of one run. `changed_by_merchant`: the ids of those intents."""

    def __init__(
        self,
        processor: MutableWorld,
        store: Store,
        changed_by_merchant: Set[str],
        trace: Trace,
    ) -> None:
        self.calls = 0
        self._processor = processor
        self._store = store
        self._changed_by_merchant = changed_by_merchant
        self._trace = trace
        self._ledger = Ledger(processor, store, self.violation)
        self._violations: dict[str, None] = {}
        self._rows: dict[UUID, Payment] = {}
        self._events_read = 0

    @property
    def violations(self) -> tuple[str, ...]:
        """In the order in which they were found."""
        return tuple(self._violations)

    def violation(self, sentence: str) -> None:
        """Something must not be."""
        if sentence not in self._violations:
            self._violations[sentence] = None
            self._trace.event(f"VIOLATION: {sentence}")

    def after_call(self) -> None:
        """Check new movements of money, and the rows that have changed."""
        self.calls += 1
        self._ledger.read_new()
        events = self._store.events
        for event in events[self._events_read :]:
            self._check_row(event.payment_id)
        self._events_read = len(events)

    def _check_row(self, payment_id: UUID) -> None:
        row = self._store.payments[payment_id]
        if before := self._rows.get(payment_id):
            self._add(invariants.transition((before,), (row,)))
        self._rows[payment_id] = row
        if row.state.is_final and self._processor.intent(row.intent_id) is not None:
            self._add(invariants.payment_matches_intent(self.records(), row))

    def at_quiescence(self) -> None:
        """Check everything once more at the end of a run."""
        self._add(invariants.safety(self.records()))
        self._add(self._ledger.differences())

    def records(self) -> invariants.Records:
        """The records of both sides now."""
        intents: Any = [*self._processor.newest("payment_intent", None)]
        refunds: Any = [*self._processor.newest("refund", None)]
        store = self._store
        return invariants.Records(
            [*store.payments.values()], [*store.refunds.values()], intents, refunds
        )

    def alert(self, alert: Alert, about: str, words: str) -> None:
        """An alert was raised."""
        self._trace.event(f"alert {alert.value}: {about} {words}")
        by_merchant = alert in ALERTS_BY_MERCHANT and self.is_by_merchant(about)
        if alert not in OVERDUE_ALERTS and not by_merchant:
            self.violation(f"the alert {alert.value} was raised: {about} {words}")

    def unexpected_error(self, error: Exception) -> None:
        """Recovery, or a webhook, failed."""
        if not isinstance(error, UNKNOWN_OUTCOME):
            self.failure(error)

    def failure(self, error: BaseException) -> None:
        """A use case failed as none may."""
        self.violation(f"a use case failed: {error!r}")

    def is_by_merchant(self, sentence: str) -> bool:
        """Whether a sentence names a payment whose intent the merchant changed."""
        rows = self._store.payments.values()
        return any(
            row.intent_id in self._changed_by_merchant and str(row.name) in sentence for row in rows
        )

    def _add(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            is_expected = any(words in sentence for words in VIOLATIONS_BY_MERCHANT)
            if not (is_expected and self.is_by_merchant(sentence)):
                self.violation(sentence)
