"""ISO 4217: the decimals of a currency, and amounts in minor units as text."""

DECIMALS = {
    **dict.fromkeys(
        [
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"),
            *("VND", "VUV", "XAF", "XOF", "XPF"),
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
"""The decimals of the currencies that do not have two (ISO 4217, list one)."""


def decimals(currency_code: str) -> int:
    """How many decimals an amount in this currency has; 2 for a currency that is not listed."""
    return DECIMALS.get(currency_code, 2)


def format_amount(minor_units: int, currency_code: str) -> str:
    """An amount as text, such as `EUR 1,042.00`. `minor_units` is not negative."""
    places = decimals(currency_code)
    whole, fraction = divmod(minor_units, 10**places)
    return f"{currency_code} {whole:,}" + (f".{fraction:0{places}}" if places else "")
