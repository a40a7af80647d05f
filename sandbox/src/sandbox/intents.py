"""Decisions on payment intents: one pure function per request, and one for the passing of time.

Each takes an intent and returns an `Outcome`: the new intent, the events, the movements of money.
"""

from dataclasses import dataclass, replace

from sandbox import errors
from sandbox.actions import Authenticate, CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent
from sandbox.cards import AUTHENTICATION_FAILED, AUTHENTICATION_REQUIRED, CARDS, Card, Decline
from sandbox.errors import ApiError
from sandbox.objects import (
    Charge,
    ChargeStatus,
    Intent,
    LastError,
    Methods,
    Movement,
    Refund,
    Status,
)
from sandbox.world import Rules

CONFIRMABLE = {
    Status.REQUIRES_PAYMENT_METHOD,
    Status.REQUIRES_CONFIRMATION,
    Status.REQUIRES_ACTION,
}
CANCELABLE = CONFIRMABLE | {Status.REQUIRES_CAPTURE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a decision: the new intent (and refund), the events, the movements of money. A decline
    by the issuer is an outcome too: `declined`; the answer is then a 402.
    """

    intent: Intent
    events: tuple[tuple[str, Intent | Refund], ...] = ()
    movements: tuple[Movement, ...] = ()
    declined: Decline | None = None
    refund: Refund | None = None


def create(action: CreateIntent, identifier: str, card: Card | None, now: int) -> Outcome:
    """Create an unconfirmed intent."""
    intent = Intent(
        id=identifier,
        created=now,
        amount=action.amount,
        currency=action.currency,
        status=Status.REQUIRES_CONFIRMATION if card else Status.REQUIRES_PAYMENT_METHOD,
        payment_method=card.token if card else None,
        methods=action.methods,
        capture_method=action.capture_method,
        metadata=action.metadata,
        description=action.description,
        receipt_email=action.receipt_email,
        statement_descriptor=action.statement_descriptor,
        statement_descriptor_suffix=action.statement_descriptor_suffix,
    )
    return Outcome(intent, (("payment_intent.created", intent),))


def confirm(
    intent: Intent, action: ConfirmIntent, card: Card | None, rules: Rules, now: int
) -> Outcome:
    """Charge or authorize `card`, by default the intent's; or require authentication, or fail."""
    if intent.status not in CONFIRMABLE:
        raise ApiError(errors.cannot_confirm(intent))
    if card is None and intent.payment_method:
        card = CARDS[intent.payment_method]
    if card is None:
        raise ApiError(errors.missing_method(intent))
    return_url = action.return_url or intent.return_url
    if intent.methods is Methods.DASHBOARD and return_url is None:
        raise ApiError(errors.return_url_required())
    intent = replace(
        intent,
        payment_method=card.token,
        return_url=return_url,
        receipt_email=action.receipt_email or intent.receipt_email,
        last_error=None,
    )
    if not card.authentication:
        return _attempt(intent, card, rules, now)
    if action.error_on_requires_action:
        return _fail(_charged(intent, card, now), card, AUTHENTICATION_REQUIRED)
    intent = replace(intent, status=Status.REQUIRES_ACTION)
    return Outcome(intent, (("payment_intent.requires_action", intent),))


def authenticate(intent: Intent, action: Authenticate, rules: Rules, now: int) -> Outcome:
    """The payer's answer on the 3D Secure page. If declined there, no charge was attempted."""
    if intent.status is not Status.REQUIRES_ACTION or intent.payment_method is None:
        raise ApiError(errors.cannot_authenticate(intent))
    card = CARDS[intent.payment_method]
    if action.approved:
        return _attempt(intent, card, rules, now, authenticated=True)
    intent = replace(
        intent,
        status=Status.REQUIRES_PAYMENT_METHOD,
        payment_method=None,
        last_error=LastError(AUTHENTICATION_FAILED, card.token, charge=None),
    )
    return Outcome(intent, (("payment_intent.payment_failed", intent),))


def _charged(intent: Intent, card: Card, now: int, *, authenticated: bool = False) -> Intent:
    """The intent with its next charge, pending."""
    attempt = intent.attempts + 1
    charge = Charge(
        id=f"ch_{intent.id.removeprefix('pi_')}{attempt}",
        created=now,
        payment_method=card.token,
        amount=intent.amount,
        status=ChargeStatus.PENDING,
        authenticated=authenticated,
    )
    return replace(intent, attempts=attempt, charge=charge)


def _attempt(
    intent: Intent, card: Card, rules: Rules, now: int, *, authenticated: bool = False
) -> Outcome:
    intent = _charged(intent, card, now, authenticated=authenticated)
    if card.delayed:
        intent = replace(intent, status=Status.PROCESSING, due=now + rules.delay)
        return Outcome(intent, (("payment_intent.processing", intent), ("charge.pending", intent)))
    return _settle(intent, card, rules, now)


def _settle(intent: Intent, card: Card, rules: Rules, now: int) -> Outcome:
    """The issuer's answer to the pending charge."""
    if card.decline:
        return _fail(intent, card, card.decline)
    if intent.capture_method == "manual":
        return _authorize(intent, now + rules.hold_life)
    return _capture(intent, intent.amount)


def _fail(intent: Intent, card: Card, decline: Decline) -> Outcome:
    charge = replace(_charge(intent), status=ChargeStatus.FAILED, decline=decline)
    intent = replace(
        intent,
        status=Status.REQUIRES_PAYMENT_METHOD,
        payment_method=None,  # a declined method is removed: a further confirm must name one
        charge=charge,
        last_error=LastError(decline, card.token, charge.id),
        due=None,
    )
    return Outcome(
        intent,
        (("charge.failed", intent), ("payment_intent.payment_failed", intent)),
        declined=decline,
    )


def _authorize(intent: Intent, until: int) -> Outcome:
    charge = replace(_charge(intent), status=ChargeStatus.SUCCEEDED, capture_before=until)
    intent = replace(intent, status=Status.REQUIRES_CAPTURE, charge=charge, due=until)
    return Outcome(
        intent,
        (("charge.succeeded", intent), ("payment_intent.amount_capturable_updated", intent)),
        (_movement("authorized", intent, intent.amount),),
    )


def _capture(intent: Intent, amount: int) -> Outcome:
    """Capture `amount`; the rest of the authorization is released."""
    authorized = intent.amount_capturable
    charge = replace(
        _charge(intent), status=ChargeStatus.SUCCEEDED, captured=True, amount_captured=amount
    )
    intent = replace(
        intent, status=Status.SUCCEEDED, charge=charge, amount_received=amount, due=None
    )
    movements = [_movement("captured", intent, amount)]
    if authorized > amount:
        movements.append(_movement("released", intent, authorized - amount))
    charge_event = "charge.captured" if authorized else "charge.succeeded"
    events = ((charge_event, intent), ("payment_intent.succeeded", intent))
    return Outcome(intent, events, tuple(movements))


def capture(intent: Intent, action: CaptureIntent) -> Outcome:
    """Capture an authorized intent, in full or in part, once."""
    if intent.status is not Status.REQUIRES_CAPTURE:
        raise ApiError(errors.cannot_capture(intent))
    amount = intent.amount_capturable if action.amount is None else action.amount
    if amount > intent.amount_capturable:
        raise ApiError(errors.capture_too_large(amount, intent))
    return _capture(intent, amount)


def cancel(intent: Intent, action: CancelIntent, now: int) -> Outcome:
    """Cancel the intent; an authorization is released."""
    if intent.status not in CANCELABLE:
        raise ApiError(errors.cannot_cancel(intent))
    return _end(intent, action.reason, "charge.refunded", now)


def passed_due(intent: Intent, rules: Rules, due: int) -> Outcome:
    """What time does, dated by when it was due: an authorization expires, a delayed charge settles."""
    if intent.status is Status.PROCESSING:
        return _settle(intent, CARDS[_charge(intent).payment_method], rules, due)
    return _end(intent, "automatic", "charge.expired", due)


def _end(intent: Intent, reason: str | None, charge_event: str, now: int) -> Outcome:
    authorized = intent.amount_capturable
    charge = intent.charge
    if charge and authorized:
        charge = replace(charge, amount_refunded=authorized)  # as Stripe shows a released one
    intent = replace(
        intent,
        status=Status.CANCELED,
        charge=charge,
        canceled_at=now,
        cancellation_reason=reason,
        due=None,
    )
    canceled = ("payment_intent.canceled", intent)
    if not authorized:
        return Outcome(intent, (canceled,))
    released = _movement("released", intent, authorized)
    return Outcome(intent, ((charge_event, intent), canceled), (released,))


def _charge(intent: Intent) -> Charge:
    assert intent.charge is not None  # noqa: S101 - every caller has an intent with a charge
    return intent.charge


def _movement(kind: str, intent: Intent, amount: int) -> Movement:
    charge = _charge(intent)
    return Movement(kind, intent.id, charge.id, amount, intent.currency, metadata=intent.metadata)
