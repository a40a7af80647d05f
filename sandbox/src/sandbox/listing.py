"""Lists with Stripe's pagination: newest first, continued after an id."""

from collections.abc import Iterator
from itertools import islice, takewhile

from sandbox import errors
from sandbox.actions import List
from sandbox.errors import ApiError
from sandbox.objects import Event
from sandbox.world import Listed, Page, View


def page(view: View, action: List) -> Page:
    """One page. Objects are in the order of `created`, so a time range is a contiguous part."""
    first, last = action.created.first, action.created.last
    since_first = takewhile(lambda item: item.created >= first, _newest(view, action))
    matching = (item for item in since_first if item.created <= last and _has_type(item, action))
    found = tuple(islice(matching, action.limit + 1))
    return Page(action.path, found[: action.limit], len(found) > action.limit)


def _has_type(item: Listed, action: List) -> bool:
    return not action.types or (isinstance(item, Event) and item.type in action.types)


def _newest(view: View, action: List) -> Iterator[Listed]:
    after = action.starting_after
    if after is not None and view.find(action.kind, after) is None:
        raise ApiError(errors.no_such(action.kind, after, param="starting_after"))
    if action.intent is None:
        return view.newest(action.kind, before=after)
    if view.intent(action.intent) is None:
        raise ApiError(errors.no_such("payment_intent", action.intent, param="payment_intent"))
    refunds = reversed(tuple(view.refunds_of(action.intent)))
    return (refund for refund in refunds if after is None or refund.id < after)
