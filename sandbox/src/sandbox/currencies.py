"""The currencies that Stripe supports, and its limits of an amount.

Amounts are integers in Stripe's minor unit (https://docs.stripe.com/currencies), which is not ISO
4217's everywhere: ISK and UGX are written with two decimals that must be zero, and the last digit
of a three-decimal currency must be zero.
"""

_NAMES = """
aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad
cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd
hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl
mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg
qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah
ugx usd uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw
"""
CURRENCIES = tuple(_NAMES.split())

_WITHOUT_DECIMALS = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()  # noqa: SIM905
)
_THREE_DECIMALS = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))

_MAXIMUM = {"idr": 999_999_999_999}  # twelve digits; ten for some, eight for the rest
_MAXIMUM |= dict.fromkeys(("clp", "cop", "huf", "jpy", "krw"), 9_999_999_999)
_MULTIPLE = dict.fromkeys(_THREE_DECIMALS, 10) | {"isk": 100, "ugx": 100}


def maximum(currency: str) -> int:
    """The largest amount of one charge."""
    return _MAXIMUM.get(currency, 99_999_999)


def multiple(currency: str) -> int:
    """The number of which an amount must be a multiple."""
    return _MULTIPLE.get(currency, 1)


def formatted(amount: int, currency: str) -> str:
    """An amount as text: 1099 usd is "10.99 USD"."""
    decimals = 0 if currency in _WITHOUT_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    whole, part = divmod(amount, 10**decimals)
    return f"{whole:,}{f'.{part:0{decimals}d}' if decimals else ''} {currency.upper()}"
