"""Memory over time as an SVG, drawn by hand: a logarithmic scale shows 30 MB and 1 GB alike."""

import math

WIDTH, HEIGHT = 800, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
# Told apart by people who see red and green alike.
COLOURS = ("#d55e00", "#0072b2", "#009e73")
LEAST = 10e6
# More are not seen at this width.
POINTS = 400
# Minutes from one mark to the next.
STEPS = (0.25, 0.5, 1, 2, 5, 10, 30, 60)


def draw(rows, names, stall):
    """The chart of the columns `names` over `seconds`; `stall` is from and to, in seconds."""
    end = rows[-1]["seconds"]
    most = max(row[name] for row in rows for name in names)
    decades = max(1, math.ceil(math.log10(most / LEAST)))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(seconds):
        return LEFT + (right - LEFT) * seconds / end

    def y(value):
        part = math.log10(max(value, LEAST) / LEAST) / decades
        return bottom - (bottom - TOP) * part

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<rect x="{x(stall[0]):.1f}" y="{TOP}" width="{x(stall[1]) - x(stall[0]):.1f}" '
        f'height="{bottom - TOP}" fill="#ddd"/>',
        f'<text x="{x(stall[0]):.1f}" y="{TOP - 8}">the disk stalls</text>',
    ]
    for decade in range(decades + 1):
        value = LEAST * 10**decade
        label = f"{value / 1e6:g} MB" if value < 1e9 else f"{value / 1e9:g} GB"
        parts.append(
            f'<path d="M{LEFT} {y(value):.1f}H{right}" stroke="#bbb"/>'
            f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{label}</text>'
        )
    step = next(step for step in STEPS if end / 60 / step <= 8 or step == STEPS[-1])
    for tick in range(int(end / 60 / step) + 1):
        parts.append(
            f'<text x="{x(tick * step * 60):.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{tick * step:g}</text>"
        )
    parts.append(
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">minutes</text>'
    )
    for number, (name, called) in enumerate(names.items()):
        points = " ".join(
            f"{x(row['seconds']):.1f},{y(row[name]):.1f}" for row in thinned(rows, name)
        )
        colour = COLOURS[number % len(COLOURS)]
        # One below the other: lines may end at the same place.
        line = TOP + 20 + 18 * number
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{right - 6}" y="{line}" text-anchor="end" fill="{colour}">'
            f"{called}</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def thinned(rows, name):
    """Of each few rows the one with the most."""
    few = max(1, math.ceil(len(rows) / POINTS))
    chunks = (rows[at : at + few] for at in range(0, len(rows), few))
    return [max(chunk, key=lambda row: row[name]) for chunk in chunks]
