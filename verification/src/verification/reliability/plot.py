"""The report's picture, as SVG that follows the reader's light or dark: how long an unknown outcome
stays unknown, and what the same faults make of three designs.
"""

import math
from collections.abc import Sequence
from html import escape

from verification.reliability.figures import ChaosRuns, Figures
from verification.reliability.tables import DESIGNS

WIDTH, HEIGHT = 900, 380
LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 60, 60, 420, 250
SHORTEST, LONGEST = 0.1, 3600.0 * 1.5
TICKS = {0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 300: "5 min", 3600: "1 h"}
OTHERS = (60, 300, 3600)
"""When other systems first check an unknown outcome, by their published code: a payment switch, a billing
platform, a well-known example of idempotency keys.
"""
BARS_LEFT, BAR_HEIGHT, BARS_WIDTH = 560, 22, 300

STYLE = """
  text { font: 13px Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif; fill: #1c2024 }
  .title { font-weight: 600; font-size: 14px }
  .quiet { fill: #60646c; font-size: 12px }
  .axis { stroke: #b9bbc6; fill: none }
  .other { stroke: #b9bbc6; stroke-dasharray: 4 4 }
  .fire { stroke: #e5484d; stroke-width: 2; fill: none }
  .after { stroke: #3e63dd; stroke-width: 2; fill: none }
  .double { fill: #e5484d } .lost { fill: #f5a524 } .none { fill: #30a46c }
  @media (prefers-color-scheme: dark) {
    text { fill: #edeef0 } .quiet { fill: #b0b4ba } .axis, .other { stroke: #5a6169 }
  }
"""


def plot(figures: Figures) -> str:
    """The whole picture."""
    ours = figures.chaos.get("oncepay", ChaosRuns("oncepay"))
    parts = [*axes(), *curves(ours), *bars(figures.chaos)]
    title = (
        "How long an unknown outcome stays unknown, and what the same faults make of three designs"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def x_of(seconds: float) -> float:
    """On the logarithmic axis of time."""
    inside = min(max(seconds, SHORTEST), LONGEST)
    share = math.log(inside / SHORTEST) / math.log(LONGEST / SHORTEST)
    return round(LEFT + share * PLOT_WIDTH, 1)


def y_of(share: float) -> float:
    """Of the share that is decided."""
    return round(TOP + (1 - share) * PLOT_HEIGHT, 1)


def text(x: float, y: float, words: str, name: str = "", anchor: str = "start") -> str:
    """Words in their place."""
    return f'<text x="{x}" y="{y}" class="{name}" text-anchor="{anchor}">{escape(words)}</text>'


def axes() -> list[str]:
    """The frame of the curves, and when others begin to look."""
    bottom, right = TOP + PLOT_HEIGHT, LEFT + PLOT_WIDTH
    parts = [
        text(LEFT, 30, "An unknown outcome, until it is decided", "title"),
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>',
    ]
    parts += [text(LEFT - 8, y_of(one) + 4, f"{one:.0%}", "quiet", "end") for one in (0, 0.5, 1)]
    for seconds, words in TICKS.items():
        parts.append(text(x_of(seconds), bottom + 20, words, "quiet", "middle"))
    for seconds in OTHERS:
        x = x_of(seconds)
        parts.append(f'<path class="other" d="M{x} {TOP}V{bottom}"/>')
    parts.append(text(x_of(OTHERS[0]), TOP - 8, "others begin to look", "quiet"))
    return parts


def curves(ours: ChaosRuns) -> list[str]:
    """The share of unknown outcomes that is decided after so long."""
    parts = []
    for place, (name, words, values) in enumerate(
        (
            ("fire", "while everything fails", ours.decided_during_faults),
            ("after", "from the end of the faults", ours.decided_after_faults),
        )
    ):
        if not values:
            continue
        parts.append(f'<path class="{name}" d="{steps(values)}"/>')
        y = TOP + PLOT_HEIGHT + 46
        x = LEFT + place * 210
        parts.append(f'<path class="{name}" d="M{x} {y - 4}h18"/>')
        parts.append(text(x + 24, y, words, "quiet"))
    return parts


def steps(values: Sequence[float]) -> str:
    """A cumulative curve of at most some hundred points."""
    ordered = sorted(values)
    every = max(1, len(ordered) // 200)
    points = [(x_of(ordered[0]), y_of(0))]
    points += [
        (x_of(value), y_of((place + 1) / len(ordered)))
        for place, value in enumerate(ordered)
        if place % every == 0 or place == len(ordered) - 1
    ]
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def bars(designs: dict[str, ChaosRuns]) -> list[str]:
    """Double charges and losses of each design, to a thousand payments."""
    parts = [text(BARS_LEFT, 30, "The same faults, of 1,000 payments", "title")]
    rates = {
        design: (1000 * runs.doubles / runs.payments, 1000 * runs.lost / runs.payments)
        for design, runs in designs.items()
        if runs.payments
    }
    most = max((rate for both in rates.values() for rate in both), default=0) or 1
    y = TOP
    for design, name in DESIGNS.items():
        if design not in rates:
            continue
        parts.append(text(BARS_LEFT, y, name))
        for kind, rate in zip(("double", "lost"), rates[design], strict=True):
            y += 8
            width = round(rate / most * BARS_WIDTH * 0.6, 1)
            colour = kind if rate else "none"
            parts.append(
                f'<rect class="{colour}" x="{BARS_LEFT}" y="{y}" width="{max(width, 3)}" '
                f'height="{BAR_HEIGHT}" rx="3"/>'
            )
            words = "charged twice" if kind == "double" else "lost"
            parts.append(
                text(BARS_LEFT + max(width, 3) + 8, y + 16, f"{rate:.0f} {words}", "quiet")
            )
            y += BAR_HEIGHT
        y += 34
    return parts
