"""Lists, as Stripe pages them: newest first, by the id after which to go on."""

from collections.abc import Iterator
from itertools import islice, takewhile

from sandbox import errors
from sandbox.actions import List
from sandbox.errors import Rejection
from sandbox.objects import Event
from sandbox.world import Listed, Page, View


def page(view: View, action: List) -> Page:
    """The page that was asked for; objects are in the order of `created`, so both ends cut it."""
    window = action.created
    young_enough = takewhile(lambda one: one.created >= window.first, _newest(view, action))
    wanted = (one for one in young_enough if one.created <= window.last and _of_type(one, action))
    found = tuple(islice(wanted, action.limit + 1))
    return Page(action.path, found[: action.limit], len(found) > action.limit)


def _of_type(one: Listed, action: List) -> bool:
    return not action.types or (isinstance(one, Event) and one.type in action.types)


def _newest(view: View, action: List) -> Iterator[Listed]:
    after = action.starting_after
    if after is not None and view.find(action.kind, after) is None:
        raise Rejection(errors.no_such(action.kind, after, param="starting_after"))
    if action.intent is None:
        return view.newest(action.kind, before=after)
    if view.intent(action.intent) is None:
        raise Rejection(errors.no_such("payment_intent", action.intent, param="payment_intent"))
    refunds = reversed(tuple(view.refunds_of(action.intent)))
    return (refund for refund in refunds if after is None or refund.id < after)
