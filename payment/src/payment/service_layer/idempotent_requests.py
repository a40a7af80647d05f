"""Requests about an existing payment, each executed at most once: captures, cancellations, refunds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from chassis.values import RequestId
from payment.domain.errors import PaymentError, RequestIdReused, TryAgain
from payment.service_layer.ports import CommitUnknown, PaymentRepository, RequestRecord

MAX_TRIES = 5
"""How often a change is tried that other changes keep overtaking."""

Written = TypeVar("Written")


@dataclass(frozen=True, slots=True)
class IdempotentRequests:
    """Requests that are identified by a request_id (AIP-155)."""

    payments: PaymentRepository

    async def run_once(
        self,
        request_id: RequestId,
        fingerprint: bytes,
        action: Callable[[], Awaitable[Written | None]],
    ) -> Written | RequestRecord:
        """Run the action, unless the request_id was used before.

        Args:
            action: reads, checks, and writes its change and the request's record in one statement.
                None: the row changed meanwhile, or the request_id was used.

        Returns:
            What the action wrote; or the record, where the same request came before.

        Raises:
            RequestIdReused, TryAgain, and what the action raises.
        """
        for _ in range(MAX_TRIES):
            if found := await self.payments.find_request(request_id):
                if found.fingerprint != fingerprint:
                    raise RequestIdReused(str(request_id))
                return found
            try:
                written = await action()
            except CommitUnknown:
                continue
            except PaymentError:
                # The action read after the look-up: it may have met this very request's own work.
                if await self.payments.find_request(request_id) is None:
                    raise
                continue
            if written is not None:
                return written
        raise TryAgain("the payment kept changing meanwhile")
