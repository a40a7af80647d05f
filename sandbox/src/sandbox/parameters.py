"""From Stripe's parameters to actions, one function per endpoint.

Nothing of a request that fails here is kept under its idempotency key: Stripe keeps answers from
when an endpoint began to work (https://docs.stripe.com/api/idempotent_requests).
"""

from sandbox.actions import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    List,
    Window,
)
from sandbox.currencies import CURRENCIES, largest, multiple
from sandbox.form import Form, wrong
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
        description=form.text("description", longest=1000),
        receipt_email=form.text("receipt_email", longest=800),
        statement_descriptor=form.text("statement_descriptor", longest=22),
        statement_descriptor_suffix=form.text("statement_descriptor_suffix", longest=22),
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
        receipt_email=form.text("receipt_email", longest=800),
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
        raise wrong(message, "limit", "parameter_invalid_integer")
    types: tuple[str, ...] = ()
    if kind == "event":
        one = form.text("type")
        types = (one,) if one else form.many("types")
    return List(
        kind,
        limit=limit,
        starting_after=form.text("starting_after"),
        created=_window(form),
        intent=form.text("payment_intent") if kind == "refund" else None,
        types=types,
    )


def expansions(form: Form, kind: str) -> tuple[str, ...]:
    """expand[]: what is to be shown whole instead of by its id."""
    asked = form.many("expand")
    for name in asked:
        if name not in EXPANDABLE.get(kind, ()):
            raise wrong(f"This property cannot be expanded ({name}).", "expand")
    return asked


def _money(form: Form) -> tuple[int, str]:
    amount = form.required_integer("amount")
    currency = form.required_text("currency").lower()
    if currency not in CURRENCIES:
        raise wrong(
            f"Invalid currency: {currency[:10]}. Stripe currently supports these currencies: "
            f"{', '.join(CURRENCIES)}",
            "currency",
        )
    if amount > largest(currency):
        message = f"Amount must be no more than {largest(currency)} {currency}"
        raise wrong(message, "amount", "amount_too_large")
    if amount % multiple(currency):
        message = f"Invalid amount: in {currency} it must be a multiple of {multiple(currency)}."
        raise wrong(message, "amount")
    return amount, currency


def _methods(form: Form) -> Methods:
    named = form.many("payment_method_types")
    automatic = form.boolean("automatic_payment_methods[enabled]")
    redirects = form.choice("automatic_payment_methods[allow_redirects]", ("always", "never"))
    if named and automatic:
        raise wrong(
            "You may only specify one of these parameters: automatic_payment_methods, "
            "payment_method_types.",
            "automatic_payment_methods",
        )
    if any(name != "card" for name in named):
        message = f"The payment method type provided: {named[0]} is invalid. The sandbox has card."
        raise wrong(message, "payment_method_types")
    if named:
        return Methods.CARD
    return Methods.DASHBOARD_WITHOUT_REDIRECTS if redirects == "never" else Methods.DASHBOARD


def _window(form: Form) -> Window:
    exactly = form.integer("created", least=0)
    if exactly is not None:
        return Window(exactly, exactly)
    after, since = form.integer("created[gt]", least=0), form.integer("created[gte]", least=0)
    before, until = form.integer("created[lt]", least=0), form.integer("created[lte]", least=0)
    widest = Window()
    return Window(
        max(widest.first, -1 if after is None else after + 1, -1 if since is None else since),
        min(
            widest.last,
            widest.last if before is None else before - 1,
            widest.last if until is None else until,
        ),
    )
