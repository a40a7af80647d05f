"""Parsers from Stripe's parameters to actions, one function per endpoint.

A request that fails here stores nothing under its idempotency key: Stripe stores an answer only once the
endpoint has begun to execute (https://docs.stripe.com/api/idempotent_requests).
"""

from sandbox.actions import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    List,
    TimeRange,
)
from sandbox.currencies import CURRENCIES, maximum, multiple
from sandbox.form import Form, invalid
from sandbox.objects import Methods

CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
CANCELLATION_REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
MAX_PAGE_LENGTH = 100
EXPANDABLE = {
    "payment_intent": ("latest_charge", "payment_method"),
    "payment_intents": ("data.latest_charge", "data.payment_method"),
}


def create_intent(form: Form, _path: str) -> CreateIntent:
    """POST /v1/payment_intents"""
    return CreateIntent(
        *_money(form),
        payment_method=form.text("payment_method"),
        methods=_methods(form),
        capture_method=form.choice("capture_method", CAPTURE_METHODS) or "automatic_async",
        metadata=form.metadata(),
        description=form.text("description", max_length=1000),
        receipt_email=form.text("receipt_email", max_length=800),
        statement_descriptor=form.text("statement_descriptor", max_length=22),
        statement_descriptor_suffix=form.text("statement_descriptor_suffix", max_length=22),
        confirm=form.boolean("confirm"),
        return_url=form.url("return_url"),
        error_on_requires_action=form.boolean("error_on_requires_action"),
    )


def confirm_intent(form: Form, intent: str) -> ConfirmIntent:
    """POST /v1/payment_intents/{intent}/confirm"""
    return ConfirmIntent(
        intent,
        payment_method=form.text("payment_method"),
        return_url=form.url("return_url"),
        receipt_email=form.text("receipt_email", max_length=800),
        error_on_requires_action=form.boolean("error_on_requires_action"),
    )


def capture_intent(form: Form, intent: str) -> CaptureIntent:
    """POST /v1/payment_intents/{intent}/capture"""
    return CaptureIntent(intent, form.integer("amount_to_capture"))


def cancel_intent(form: Form, intent: str) -> CancelIntent:
    """POST /v1/payment_intents/{intent}/cancel"""
    return CancelIntent(intent, form.choice("cancellation_reason", CANCELLATION_REASONS))


def create_refund(form: Form, _path: str) -> CreateRefund:
    """POST /v1/refunds"""
    return CreateRefund(
        form.required_text("payment_intent"),
        amount=form.integer("amount"),
        reason=form.choice("reason", REFUND_REASONS),
        metadata=form.metadata(),
    )


def listing(form: Form, kind: str) -> List:
    """GET /v1/{kind}s"""
    limit = form.integer("limit") or 10
    if limit > MAX_PAGE_LENGTH:
        message = f"This value must be less than or equal to {MAX_PAGE_LENGTH}."
        raise invalid(message, "limit", "parameter_invalid_integer")
    types: tuple[str, ...] = ()
    if kind == "event":
        single = form.text("type")
        types = (single,) if single else form.many("types")
    return List(
        kind,
        limit=limit,
        starting_after=form.text("starting_after"),
        created=_time_range(form),
        intent=form.text("payment_intent") if kind == "refund" else None,
        types=types,
    )


def expansions(form: Form, kind: str) -> tuple[str, ...]:
    """expand[]: the fields to show as objects instead of ids."""
    requested = form.many("expand")
    for name in requested:
        if name not in EXPANDABLE.get(kind, ()):
            raise invalid(f"This property cannot be expanded ({name}).", "expand")
    return requested


def _money(form: Form) -> tuple[int, str]:
    amount = form.required_integer("amount")
    currency = form.required_text("currency").lower()
    if currency not in CURRENCIES:
        raise invalid(
            f"Invalid currency: {currency[:10]}. Stripe currently supports these currencies: "
            f"{', '.join(CURRENCIES)}",
            "currency",
        )
    if amount > maximum(currency):
        message = f"Amount must be no more than {maximum(currency)} {currency}"
        raise invalid(message, "amount", "amount_too_large")
    if amount % multiple(currency):
        message = f"Invalid amount: in {currency} it must be a multiple of {multiple(currency)}."
        raise invalid(message, "amount")
    return amount, currency


def _methods(form: Form) -> Methods:
    named = form.many("payment_method_types")
    automatic = form.boolean("automatic_payment_methods[enabled]")
    redirects = form.choice("automatic_payment_methods[allow_redirects]", ("always", "never"))
    if named and automatic:
        raise invalid(
            "You may only specify one of these parameters: automatic_payment_methods, "
            "payment_method_types.",
            "automatic_payment_methods",
        )
    if any(name != "card" for name in named):
        message = f"The payment method type provided: {named[0]} is invalid. The sandbox has card."
        raise invalid(message, "payment_method_types")
    if named:
        return Methods.CARD
    return Methods.DASHBOARD_WITHOUT_REDIRECTS if redirects == "never" else Methods.DASHBOARD


def _time_range(form: Form) -> TimeRange:
    exact = form.integer("created", minimum=0)
    if exact is not None:
        return TimeRange(exact, exact)
    after, since = form.integer("created[gt]", minimum=0), form.integer("created[gte]", minimum=0)
    before, until = form.integer("created[lt]", minimum=0), form.integer("created[lte]", minimum=0)
    widest = TimeRange()
    return TimeRange(
        max(widest.first, -1 if after is None else after + 1, -1 if since is None else since),
        min(
            widest.last,
            widest.last if before is None else before - 1,
            widest.last if until is None else until,
        ),
    )
