"""The sandbox's decision: the new state and the answer, from the state, a request and a time.

`transition` is pure on a `World`: no clock, no random numbers, no I/O. Model checking, simulation, contract
tests and the server all call it.
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
    IntentAction,
    List,
    PassTime,
    Request,
    Retrieve,
    Write,
)
from sandbox.cards import Card
from sandbox.errors import ApiError, Error
from sandbox.intents import Outcome
from sandbox.listing import page
from sandbox.objects import Event, Intent, Refund
from sandbox.world import Change, Key, Listed, Response, View, card_named, identifier

AnyView = TypeVar("AnyView", bound=View)


def transition(view: AnyView, request: Request, now: int) -> tuple[AnyView, Response]:
    """The state after `request` at `now` (Unix seconds, never decreasing), and the answer.

    Whatever is due by `now` happens first, in the order of due times. A rejected request changes nothing,
    except that its key stores the answer.
    """
    while (due := view.next_due(now)) is not None:
        view = view.apply(_passed_due(view, due))
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
        changes, answer = _execute(view, action, request.key, now)
        response = response if request.failure is InjectedFailure.FAILS_AFTER else answer
    if request.key:
        changes = (*changes, Key(request.key, now, action, request.expand, response))
    return (view.apply(changes) if changes else view), response


def _execute(
    view: View, action: Write, key: str | None, now: int
) -> tuple[tuple[Change, ...], Response]:
    try:
        outcome = _decide(view, action, now)
    except ApiError as raised:
        return (), _failure(raised.error)
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
    created = intents.create(action, name, _card(view, action.payment_method), now)
    if not action.confirm:
        return created
    confirmation = ConfirmIntent(
        name,
        return_url=action.return_url,
        error_on_requires_action=action.error_on_requires_action,
    )
    confirmed = intents.confirm(created.intent, confirmation, None, view.rules, now)
    return replace(confirmed, events=(*created.events, *confirmed.events))


def _passed_due(view: View, subject: Intent | Refund) -> tuple[Change, ...]:
    due = subject.due or 0
    if isinstance(subject, Intent):
        return _changes(view, intents.passed_due(subject, view.rules, due), due, None)
    intent = view.intent(subject.intent)
    assert intent is not None  # noqa: S101 - every refund has an intent
    return _changes(view, refunds.passed_due(subject, intent), due, None)


def _changes(view: View, outcome: Outcome, now: int, key: str | None) -> tuple[Change, ...]:
    objects = (outcome.intent, outcome.refund) if outcome.refund else (outcome.intent,)
    if not view.rules.history:
        return objects
    first = view.count("event") + 1
    events = (
        Event(identifier("evt", view.account, first + index), now, kind, subject, key)
        for index, (kind, subject) in enumerate(outcome.events)
    )
    return (*objects, *events, *outcome.movements)


def _answer(outcome: Outcome) -> Response:
    if outcome.declined:
        return _failure(errors.declined(outcome.declined, outcome.intent))
    return Response(200, outcome.refund or outcome.intent)


def _failure(error: Error) -> Response:
    return Response(error.status, error)


def _intent(view: View, action: IntentAction) -> Intent:
    intent = view.intent(action.intent)
    if intent is None:
        param = "payment_intent" if isinstance(action, CreateRefund) else None
        raise ApiError(errors.no_such("payment_intent", action.intent, param=param))
    return intent


def _card(view: View, name: str | None) -> Card | None:
    if name is None:
        return None
    card = card_named(view, name)
    if card is None:
        raise ApiError(errors.no_such("payment_method", name, param="payment_method"))
    return card


def _read(view: View, action: Retrieve | List) -> Response:
    if isinstance(action, List):
        try:
            return Response(200, page(view, action))
        except ApiError as raised:
            return _failure(raised.error)
    if action.kind == "payment_method":
        found: Listed | Card | None = card_named(view, action.id)
    else:
        found = view.find(action.kind, action.id)
    return Response(200, found) if found else _failure(errors.no_such(action.kind, action.id))
