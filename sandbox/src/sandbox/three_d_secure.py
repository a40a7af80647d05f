"""The 3D Secure page: the payer approves or declines, and is redirected to the merchant.

Stripe gives the page's address as `next_action.redirect_to_url.url` and redirects the payer to `return_url`
with `payment_intent`, `payment_intent_client_secret` and `redirect_status`
(https://docs.stripe.com/payments/3d-secure/authentication-flow). The redirect proves nothing; only the
intent's status does.
"""

from html import escape
from string import Template
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web

from sandbox.actions import Authenticate, Request
from sandbox.cards import CARDS
from sandbox.currencies import formatted
from sandbox.objects import Intent, Status
from sandbox.rendering import client_secret
from sandbox.sandbox import Sandbox

_APPROVED = {Status.SUCCEEDED, Status.REQUIRES_CAPTURE, Status.PROCESSING}

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; color: #1c2024; background: #f4f5f7;
         display: grid; place-items: center; min-height: 100vh; margin: 0 }
  main { background: #fff; border-radius: 12px; padding: 2rem; width: 22rem;
         box-shadow: 0 1px 3px #0002, 0 8px 24px #0001 }
  h1 { font-size: 1.15rem; margin: 0 0 .5rem }
  .amount { font-size: 2rem; font-weight: 600; margin: 1rem 0 0 }
  .quiet { color: #60646c; font-size: .875rem; margin: 0 }
  form { display: flex; gap: .75rem; margin-top: 1.5rem }
  button { flex: 1; font: inherit; font-weight: 600; padding: .7rem; border-radius: 8px;
           border: 1px solid #c9cdd3; background: #fff; color: inherit; cursor: pointer }
  button[value=approve] { background: #1c2024; border-color: #1c2024; color: #fff }
  button:focus-visible { outline: 3px solid #4c8dff; outline-offset: 2px }
</style>
<main>
$body
</main>
</html>
""")

_FORM = Template("""<h1>Your bank asks: is this payment yours?</h1>
<p class="quiet">Oncepay sandbox. No money moves.</p>
<p class="amount">$amount</p>
<p class="quiet">$brand ending in $last4</p>
<form method="post">
  <button name="answer" value="decline">Decline</button>
  <button name="answer" value="approve">Approve</button>
</form>""")

_MESSAGE = Template('<h1>$sentence</h1>\n<p class="quiet">You may close this page.</p>')


class AuthenticationPage:
    """The page's handlers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        """GET shows the form, POST submits it."""
        return [web.get("/3ds/{id}", self._show), web.post("/3ds/{id}", self._submit)]

    async def _show(self, http: web.Request) -> web.Response:
        intent = self._sandbox.world.intent(http.match_info["id"])
        if intent is None:
            return _message("There is no such payment.", 404)
        if intent.status is not Status.REQUIRES_ACTION or intent.payment_method is None:
            return _message("This payment requires no authentication.", 409)
        card = CARDS[intent.payment_method]
        form = _FORM.substitute(
            amount=formatted(intent.amount, intent.currency),
            brand=card.brand.capitalize(),
            last4=card.last4,
        )
        return _page("Is this payment yours?", form)

    async def _submit(self, http: web.Request) -> web.Response:
        answer = (await http.post()).get("answer")
        if answer not in ("approve", "decline"):
            return _message("The answer is approve or decline.", 400)
        name = http.match_info["id"]
        await self._sandbox.perform(Request(Authenticate(name, approved=answer == "approve")))
        intent = self._sandbox.world.intent(name)
        if intent is None:
            return _message("There is no such payment.", 404)
        if intent.return_url:
            return web.Response(status=303, headers={"Location": _return_url(intent)})
        return _message("Approved." if intent.status in _APPROVED else "Declined.")


def _return_url(intent: Intent) -> str:
    """The merchant's URL with its query and Stripe's three parameters."""
    parts = urlsplit(intent.return_url or "")
    query = [
        *parse_qsl(parts.query, keep_blank_values=True),
        ("payment_intent", intent.id),
        ("payment_intent_client_secret", client_secret(intent)),
        ("redirect_status", "succeeded" if intent.status in _APPROVED else "failed"),
    ]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _message(sentence: str, status: int = 200) -> web.Response:
    return _page(sentence, _MESSAGE.substitute(sentence=escape(sentence)), status)


def _page(title: str, body: str, status: int = 200) -> web.Response:
    text = _PAGE.substitute(title=escape(title), body=body)
    return web.Response(text=text, content_type="text/html", status=status)
