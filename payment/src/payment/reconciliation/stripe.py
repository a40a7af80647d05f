"""Stripe's lists of intents and refunds (the port `ProcessorListing`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from payment.domain.evidence import Intent, OutcomeUnknown, Page, ProcessorRefund, Reply
from payment.processors.stripe.adapter import CHARGE, INTENTS, REFUNDS, StripeProcessor
from payment.processors.stripe.replies import (
    Json,
    amount_in,
    id_in,
    intent_of,
    refund_of,
    reply_to,
    text_in,
    value_at,
)
from payment.reconciliation.comparison import ListedIntent, ListedRefund


@dataclass(frozen=True, slots=True)
class StripeListing:
    """Lists what was created in the Stripe account, by any installation or program."""

    processor: StripeProcessor

    async def intents(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedIntent] | OutcomeUnknown:
        """A page of the intents that were created in this time, newest first."""
        expand = [f"data.{each}" for each in CHARGE]
        created = created_between(since, until)
        page = self.processor.page
        return await page(listed_intent, INTENTS, after, created=created, expand=expand)

    async def refunds_made(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedRefund] | OutcomeUnknown:
        """A page of the refunds that were created in this time, newest first."""
        created = created_between(since, until)
        return await self.processor.page(listed_refund, REFUNDS, after, created=created)

    async def discard(self, intent_id: str) -> Reply:
        """Cancel an intent that no payment has."""
        key = f"{self.processor.installation}:{intent_id}:discard"
        path = f"{INTENTS}/{intent_id}/cancel"
        return await self.processor.call(intent_of, reply_to, "post", path, idempotency_key=key)


def created_between(since: datetime, until: datetime) -> Mapping[str, int]:
    """The filter `created` of Stripe's lists, in Unix seconds."""
    return {"gte": int(since.timestamp()), "lt": int(until.timestamp())}


def listed_intent(body: Json) -> ListedIntent:
    """An intent of a page; without its `intent` where that cannot be read."""
    reply = intent_of(body)
    intent = reply if isinstance(reply, Intent) else None
    refunded = value_at(body, "latest_charge", "amount_refunded") or 0
    return ListedIntent(
        id=id_in(body["id"]),
        create_time=datetime.fromtimestamp(body["created"], UTC),
        installation=text_in(value_at(body, "metadata", "installation")),
        request_id=text_in(value_at(body, "metadata", "request_id")),
        intent=intent,
        amount_refunded=amount_in(refunded, intent.amount.currency_code) if intent else 0,
    )


def listed_refund(body: Json) -> ListedRefund:
    """A refund of a page; without its `refund` where that cannot be read."""
    reply = refund_of(body)
    return ListedRefund(
        id=id_in(body["id"]),
        intent_id=text_in(body.get("payment_intent")),  # the refund of an old charge has none
        create_time=datetime.fromtimestamp(body["created"], UTC),
        currency_code=body["currency"].upper(),
        refund=reply if isinstance(reply, ProcessorRefund) else None,
    )
