"""Bars as SVG: one panel a case, one bar a subject, its p10 and p90 as a line."""
from html import escape

COLOURS = {"rruntime": "#0b6e4f", "the floor": "#9aa5b1", "crun": "#c26a1b", "runc": "#2f6db5"}
WIDTH, LEFT, BAR, HEAD, GAP, COLUMNS = 460, 110, 18, 30, 18, 2


def colour(label):
    return next((c for name, c in COLOURS.items() if label.startswith(name)), "#7a5195")


def bars(panels, note):
    """PANELS: [(title, [(label, middle, low, high)])] in ms. The text of an SVG file that reads on white and on black."""
    panels = [panel for panel in panels if panel[1]]
    height = max((HEAD + BAR * len(rows) + GAP for _, rows in panels), default=0)
    lines = (len(panels) + COLUMNS - 1) // COLUMNS
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * COLUMNS}" height="{height * lines + 30}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="#ffffff"/>']
    for index, (title, rows) in enumerate(panels):
        x, y = index % COLUMNS * WIDTH, index // COLUMNS * height
        most = max(high for _, _, _, high in rows)
        scale = (WIDTH - LEFT - 80) / most
        out.append(f'<text x="{x + 10}" y="{y + 20}" font-weight="bold">{escape(title)}</text>')
        for row, (label, middle, low, high) in enumerate(rows):
            top = y + HEAD + row * BAR
            end, centre = x + LEFT + middle * scale, top + BAR / 2 - 1
            out.append(f'<text x="{x + LEFT - 6}" y="{top + 12}" text-anchor="end">{escape(label)}</text>')
            out.append(f'<rect x="{x + LEFT}" y="{top}" width="{max(1, middle * scale):.1f}" height="{BAR - 4}" fill="{colour(label)}"/>')
            out.append(f'<path d="M{x + LEFT + low * scale:.1f} {centre}H{x + LEFT + high * scale:.1f}" stroke="#222222"/>')
            out.append(f'<text x="{max(end, x + LEFT + high * scale) + 6:.1f}" y="{top + 12}">{middle:.2f} ms</text>')
    out.append(f'<text x="10" y="{height * lines + 18}" fill="#555555">{escape(note)}; the line on a bar goes from p10 to p90 (p99 where many start at once)</text>')
    return "\n".join([*out, "</svg>", ""])
