"""The sandbox's one decision: what a request, at a time, makes of what there is.

`transition` is pure where its view is (a `World`): no clock, no random, no I/O, the same arguments
give the same result. An explorer, a simulator, contract tests and the server all call this.
"""

from dataclasses import replace
from typing import TypeVar

from sandbox import errors, intents, refunds
from sandbox.actions import (
    Authenticate,
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    InjectedFailure,
    List,
    OnIntent,
    PassTime,
    Request,
    Retrieve,
    Write,
)
from sandbox.cards import Card
from sandbox.errors import Error, Rejection
from sandbox.intents import Outcome
from sandbox.listing import page
from sandbox.objects import Event, Intent, Refund
from sandbox.world import Change, Key, Listed, Response, View, card_named, identifier

AnyView = TypeVar("AnyView", bound=View)


def transition(view: AnyView, request: Request, now: int) -> tuple[AnyView, Response]:
    """What there is after `request` at `now` (Unix seconds, never falling), and the answer.

    What became due by `now` is done first, in the order in which it was due. A request that is
    refused changes nothing, except that its key remembers the refusal.
    """
    while (thing := view.next_due(now)) is not None:
        view = view.after(_passed_due(view, thing))
    action = request.action
    if isinstance(action, PassTime):
        return view, Response(200, None)
    if isinstance(action, (Retrieve, List)):
        return view, _read(view, action)
    return _write(view, request, action, now)


def _write(view: AnyView, request: Request, action: Write, now: int) -> tuple[AnyView, Response]:
    known = view.key(request.key) if request.key else None
    if known and now < known.created + view.rules.key_life:
        return view, _replay(known, request)
    changes: tuple[Change, ...] = ()
    response = _failure(errors.broken())
    if request.failure is InjectedFailure.NO_BALANCE:
        response = _failure(errors.no_balance())
    elif request.failure is not InjectedFailure.FAILS_BEFORE:
        changes, answer = _done(view, action, request.key, now)
        response = response if request.failure is InjectedFailure.FAILS_AFTER else answer
    if request.key:
        changes = (*changes, Key(request.key, now, action, request.expand, response))
    return (view.after(changes) if changes else view), response


def _done(
    view: View, action: Write, key: str | None, now: int
) -> tuple[tuple[Change, ...], Response]:
    try:
        outcome = _decide(view, action, now)
    except Rejection as refused:
        return (), _failure(refused.error)
    return _changes(view, outcome, now, key), _answer(outcome)


def _replay(known: Key, request: Request) -> Response:
    action = request.action
    if (known.action, known.expand) == (action, request.expand):
        return Response(known.response.status, known.response.body, replayed=True)
    if known.action.path != action.path:
        return _failure(errors.key_with_other_path(known.id, action.path, known.action.path))
    return _failure(errors.key_with_other_parameters(known.id))


def _decide(view: View, action: Write, now: int) -> Outcome:
    if isinstance(action, CreateIntent):
        return _create(view, action, now)
    intent = _intent(view, action)
    match action:
        case ConfirmIntent():
            card = _card(view, action.payment_method)
            return intents.confirm(intent, action, card, view.rules, now)
        case CaptureIntent():
            return intents.capture(intent, action)
        case CancelIntent():
            return intents.cancel(intent, action, now)
        case Authenticate():
            return intents.authenticate(intent, action, view.rules, now)
        case CreateRefund():
            name = identifier("re", view.account, view.count("refund") + 1)
            others = view.refunds_of(intent.id)
            return refunds.create(action, name, intent, others, view.rules, now)


def _create(view: View, action: CreateIntent, now: int) -> Outcome:
    name = identifier("pi", view.account, view.count("payment_intent") + 1)
    made = intents.create(action, name, _card(view, action.payment_method), now)
    if not action.confirm:
        return made
    first = ConfirmIntent(
        name,
        return_url=action.return_url,
        error_on_requires_action=action.error_on_requires_action,
    )
    tried = intents.confirm(made.intent, first, None, view.rules, now)
    return replace(tried, happened=(*made.happened, *tried.happened))


def _passed_due(view: View, thing: Intent | Refund) -> tuple[Change, ...]:
    due = thing.due or 0
    if isinstance(thing, Intent):
        return _changes(view, intents.passed_due(thing, view.rules, due), due, None)
    intent = view.intent(thing.intent)
    assert intent is not None  # noqa: S101 - there is no refund without an intent
    return _changes(view, refunds.passed_due(thing, intent), due, None)


def _changes(view: View, outcome: Outcome, now: int, key: str | None) -> tuple[Change, ...]:
    things = (outcome.intent, outcome.refund) if outcome.refund else (outcome.intent,)
    if not view.rules.history:
        return things
    first = view.count("event") + 1
    events = (
        Event(identifier("evt", view.account, first + place), now, kind, thing, key)
        for place, (kind, thing) in enumerate(outcome.happened)
    )
    return (*things, *events, *outcome.movements)


def _answer(outcome: Outcome) -> Response:
    if outcome.declined:
        return _failure(errors.declined(outcome.declined, outcome.intent))
    return Response(200, outcome.refund or outcome.intent)


def _failure(error: Error) -> Response:
    return Response(error.status, error)


def _intent(view: View, action: OnIntent) -> Intent:
    intent = view.intent(action.intent)
    if intent is None:
        param = "payment_intent" if isinstance(action, CreateRefund) else None
        raise Rejection(errors.no_such("payment_intent", action.intent, param=param))
    return intent


def _card(view: View, name: str | None) -> Card | None:
    if name is None:
        return None
    card = card_named(view, name)
    if card is None:
        raise Rejection(errors.no_such("payment_method", name, param="payment_method"))
    return card


def _read(view: View, action: Retrieve | List) -> Response:
    if isinstance(action, List):
        try:
            return Response(200, page(view, action))
        except Rejection as refused:
            return _failure(refused.error)
    if action.kind == "payment_method":
        found: Listed | Card | None = card_named(view, action.id)
    else:
        found = view.find(action.kind, action.id)
    return Response(200, found) if found else _failure(errors.no_such(action.kind, action.id))
