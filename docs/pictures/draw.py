"""Draws the pictures of the documents: each `*.toml` here becomes the `*.svg` beside it.

    python docs/pictures/draw.py            draw them all; `make pictures`
    python docs/pictures/draw.py --check    draw nothing; fail where a picture is stale

A source gives every position in pixels: a layout by hand is more readable than a computed one, and
nothing has to be installed to draw. The pictures follow the reader's light or dark mode.

    title = "what it shows, for those who cannot see it"
    size = [width, height]

    [[areas]]                       # a background for boxes that belong together
    at = [left, top], size = [width, height], title = "..."

    [boxes.NAME]                    # what arrows connect
    at = [centre x, centre y], size = [width, height], title = "...", lines = ["...", "..."]
    colour = "plain"                # or blue, green, amber, red
    shape = "box"                   # or cylinder

    [[arrows]]
    from = "NAME right", to = "NAME left 0.25"      # a side, and how far along it: 0.5 by default
    dashed = true

    [[notes]]                       # text, also the text on an arrow
    at = [x, y], text = "...", anchor = "middle"
"""

import sys
import tomllib
from html import escape
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif"
ROUND = 9
LID = 8  # half the height of a cylinder's lid
LINE_HEIGHT = 17

# class: the CSS property, its light and its dark value
COLOURS = {
    "page": ("fill", "#ffffff", "#0d1117"),
    "ink": ("fill", "#101828", "#f0f3f6"),
    "quiet": ("fill", "#475467", "#a3adba"),
    "area": ("fill", "#f7f8fa", "#161b22"),
    "area-edge": ("stroke", "#e4e7ec", "#2b323b"),
    "plain": ("fill", "#eef1f5", "#21262d"),
    "plain-edge": ("stroke", "#98a2b3", "#6e7681"),
    "blue": ("fill", "#e3ebff", "#15244a"),
    "blue-edge": ("stroke", "#5b74f0", "#6f8cff"),
    "green": ("fill", "#dcfae6", "#0f2f22"),
    "green-edge": ("stroke", "#17a35f", "#2fbf7a"),
    "amber": ("fill", "#fef4d9", "#33270b"),
    "amber-edge": ("stroke", "#d29a13", "#c9972f"),
    "red": ("fill", "#fde7e4", "#3a1714"),
    "red-edge": ("stroke", "#d9534a", "#e5675d"),
    "arrow": ("stroke", "#667085", "#8b949e"),
    "head": ("fill", "#667085", "#8b949e"),
}

Point = tuple[float, float]


def draw(source: dict[str, Any]) -> str:
    """The picture, as the text of an SVG."""
    width, height = source["size"]
    title = escape(source["title"])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        f"<style>{style()}</style>",
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path class="head" d="M0,0.6 L7.5,4 L0,7.4 Z"/></marker>',
        f'<rect class="page" width="{width}" height="{height}" rx="12"/>',
        *(area(each) for each in source.get("areas", [])),
        *(arrow(each, source["boxes"]) for each in source.get("arrows", [])),
        *(box(each) for each in source["boxes"].values()),
        *(note(each) for each in source.get("notes", [])),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def style() -> str:
    light_rules = [
        f".{name}{{{attribute}:{light}}}" for name, (attribute, light, _) in COLOURS.items()
    ]
    dark_rules = [
        f".{name}{{{attribute}:{dark}}}" for name, (attribute, _, dark) in COLOURS.items()
    ]
    shape = (
        f"text{{font-family:{FONT};font-size:13px}}.title{{font-size:15px;font-weight:600}}"
        ".arrow{fill:none;stroke-width:1.5}.dashed{stroke-dasharray:5 4}"
    )
    return (
        f"{shape}{''.join(light_rules)}@media (prefers-color-scheme:dark){{{''.join(dark_rules)}}}"
    )


def area(spec: dict[str, Any]) -> str:
    (left, top), (width, height) = spec["at"], spec["size"]
    return (
        f'<rect class="area area-edge" x="{left}" y="{top}" width="{width}" height="{height}" '
        f'rx="{ROUND + 5}"/>' + text(left + 18, top + 27, spec["title"], "quiet", "start")
    )


def box(spec: dict[str, Any]) -> str:
    (x, y), (width, height) = spec["at"], spec["size"]
    left, top, colour = x - width / 2, y - height / 2, spec.get("colour", "plain")
    look = f'class="{colour} {colour}-edge"'
    if spec.get("shape") == "cylinder":
        lid = f"a{width / 2:g},{LID} 0 0 1 {width:g},0"
        walls = f"v{height:g} a{width / 2:g},{LID} 0 0 1 {-width:g},0 v{-height:g}"
        shape = f'<path {look} d="M{left:g},{top:g} {lid} {walls}Z"/>'
        shape += f'<path {look} d="M{left:g},{top:g} {lid} {lid.replace("0 0 1 ", "0 0 1 -")}"/>'
        y += LID
    else:
        shape = f'<rect {look} x="{left:g}" y="{top:g}" width="{width}" height="{height}" '
        shape += f'rx="{ROUND}"/>'
    lines = spec.get("lines", [])
    first = y + 5 - len(lines) * LINE_HEIGHT / 2
    written = [text(x, first, spec["title"], "title ink")]
    written += [
        text(x, first + 1 + number * LINE_HEIGHT, line, "quiet")
        for number, line in enumerate(lines, start=1)
    ]
    return shape + "".join(written)


def arrow(spec: dict[str, Any], boxes: dict[str, Any]) -> str:
    """A curve that leaves and arrives at right angles to the boxes' sides."""
    begin, out = endpoint(spec["from"], boxes)
    end, back = endpoint(spec["to"], boxes)
    across, down = abs(end[0] - begin[0]) / 2, abs(end[1] - begin[1]) / 2
    curve = [(begin[0] + out[0] * across, begin[1] + out[1] * down)]
    curve += [(end[0] + back[0] * across, end[1] + back[1] * down), end]
    path = " ".join(f"{x:g},{y:g}" for x, y in curve)
    dashed = " dashed" if spec.get("dashed") else ""
    start = f"M{begin[0]:g},{begin[1]:g}"
    return f'<path class="arrow{dashed}" d="{start} C{path}" marker-end="url(#head)"/>'


def note(spec: dict[str, Any]) -> str:
    x, y = spec["at"]
    return text(x, y, spec["text"], "quiet", spec.get("anchor", "middle"))


def endpoint(where: str, boxes: dict[str, Any]) -> tuple[Point, Point]:
    """Where on a box an arrow begins or ends, and the direction out of the box."""
    name, side, *along = where.split()
    (x, y), (width, height) = boxes[name]["at"], boxes[name]["size"]
    part = float(along[0]) if along else 0.5
    lid = LID if boxes[name].get("shape") == "cylinder" else 0
    across, down = x - width / 2 + width * part, y - height / 2 + height * part
    return {
        "left": ((x - width / 2, down), (-1.0, 0.0)),
        "right": ((x + width / 2, down), (1.0, 0.0)),
        "top": ((across, y - height / 2 - lid), (0.0, -1.0)),
        "bottom": ((across, y + height / 2 + lid), (0.0, 1.0)),
    }[side]


def text(x: float, y: float, words: str, style_class: str, anchor: str = "middle") -> str:
    at = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f'<text class="{style_class}" {at}>{escape(words)}</text>'


def main() -> int:
    stale = 0
    for source in sorted(FOLDER.glob("*.toml")):
        picture = source.with_suffix(".svg")
        drawn = draw(tomllib.loads(source.read_text()))
        if "--check" not in sys.argv[1:]:
            picture.write_text(drawn)
        elif not picture.exists() or picture.read_text() != drawn:
            print(f"{picture}: stale: run `make pictures`", file=sys.stderr)  # noqa: T201
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
