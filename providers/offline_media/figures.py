"""The things a stand-in picture can show, drawn as a few flat shapes each.

A shape stands on the bottom edge of a square of 100 by 100, y growing downwards. Each line of its text is one part,
laid over those before it: `blob` (a smooth closed outline), `poly` (a straight one), `disc` (centre, then radii),
`curve` (a smooth stroke of a width). The second word says which of the shape's colours it takes.
"""

from __future__ import annotations

from PIL import Image, ImageDraw

from .palette import INK, PAPER, Colour, Palette, luminance, mix, rgb

Point = tuple[float, float]

SHAPES: dict[str, str] = {
    "cat": """
        curve main 8  70,94 88,92 94,76 86,62 90,50
        blob main  50,40 66,56 75,80 70,100 50,100 30,100 25,80 34,56
        poly main  31,28 31,4 49,18
        poly main  69,28 69,4 51,18
        poly tint  35,21 35,11 43,18
        poly tint  65,21 65,11 57,18
        disc main  50,31 21,18
        blob tint  50,56 58,68 56,86 50,91 44,86 42,68
        disc tint  41,97 7,4
        disc tint  59,97 7,4
        disc ink   42,30 2.6,3.6
        disc ink   58,30 2.6,3.6
        poly accent 47.5,36 52.5,36 50,39
        curve ink 0.8  40,38 28,36
        curve ink 0.8  40,40 29,42
        curve ink 0.8  60,38 72,36
        curve ink 0.8  60,40 71,42
    """,
    "dog": """
        curve main 7  70,88 84,82 90,68
        blob main  50,38 67,54 74,80 70,100 50,100 30,100 26,80 33,54
        blob main  50,8 66,13 70,28 64,42 50,47 36,42 30,28 34,13
        blob shade 33,11 24,16 21,34 27,46 34,36 36,20
        blob shade 67,11 76,16 79,34 73,46 66,36 64,20
        blob tint  50,27 59,33 58,42 50,45 42,42 41,33
        blob tint  50,56 58,68 56,86 50,91 44,86 42,68
        disc tint  40,97 8,4
        disc tint  60,97 8,4
        disc ink   42,24 2.8,3.2
        disc ink   58,24 2.8,3.2
        disc ink   50,32 4,2.8
        curve ink 1  44,39 50,41 56,39
        poly accent  33,48 67,48 64,54 36,54
    """,
    "fox": """
        blob main  62,98 78,100 94,90 98,70 90,50 82,66 70,78 60,86
        blob light 98,70 95,58 90,50 84,62 88,70
        blob main  48,42 62,56 70,80 66,100 46,100 30,100 24,80 34,56
        poly main  27,30 24,2 44,18
        poly main  69,30 72,2 52,18
        poly ink   29,18 27,8 36,15
        poly ink   67,18 69,8 60,15
        poly main  24,26 40,14 56,14 72,26 48,53
        poly light 24,26 40,34 48,53
        poly light 72,26 56,34 48,53
        blob light 48,56 55,66 53,84 48,90 43,84 41,66
        disc ink   39,29 2.2,2.8
        disc ink   57,29 2.2,2.8
        disc ink   48,51 3,2.4
        poly ink   35,100 36,88 43,88 44,100
        poly ink   52,100 53,88 60,88 61,100
    """,
    "bird": """
        blob main  4,54 22,44 46,44 66,36 78,44 70,60 46,68 24,64
        disc main  76,40 12,11
        poly accent 86,37 99,41 86,45
        poly shade 22,46 0,36 2,48 0,60 20,60
        blob shade 56,48 42,30 22,8 16,4 24,30 34,52 46,58
        blob tint  60,60 46,66 34,63 46,58 60,54 70,52
        disc ink   79,38 2,2.2
    """,
    "fish": """
        poly shade 24,52 2,30 8,52 2,74
        blob main  16,52 34,32 62,28 86,42 94,52 86,62 62,76 34,72
        blob shade 40,32 54,16 70,30 56,34
        blob shade 50,72 56,86 66,72
        blob tint  22,54 40,66 62,70 84,60 60,60 40,58
        curve shade 1.6  70,34 65,50 70,68
        blob shade 46,48 60,54 48,62 52,54
        disc light 80,46 4.4,4.4
        disc ink   81,46 2.2,2.2
    """,
    "flower": """
        curve #3f7d4c 4  50,100 48,76 50,44
        blob #3f7d4c  49,86 34,68 18,68 30,82
        blob #56975c  50,80 64,62 82,62 70,76
        blob main  50,34 40,18 50,2 60,18
        blob main  50,34 66,22 82,26 70,38
        blob main  50,34 70,44 74,60 58,52
        blob main  50,34 42,52 26,60 30,44
        blob main  50,34 30,38 18,26 34,22
        blob tint  50,32 46,20 50,10 54,20
        blob tint  50,32 62,26 74,28 64,34
        blob tint  50,32 38,34 26,28 38,26
        disc accent 50,34 10,10
        disc shade 50,36 6,6
    """,
    "cup": """
        curve paper 2.2  40,30 36,20 44,12 40,2
        curve paper 2.2  54,30 50,20 58,12 54,2
        disc shade 47,96 44,4
        curve main 7  74,50 92,50 92,72 70,76
        blob main  18,42 20,70 28,88 47,93 66,88 74,70 76,42 47,40
        disc tint  47,42 29,7
        disc #4a2a1a 47,43 25,5
        disc #6b4128 47,44 19,3
        blob tint  25,54 28,76 36,86 31,72
    """,
    "car": """
        blob main  24,62 32,40 44,34 62,34 74,44 82,60
        poly tint  33,58 38,43 51,40 51,58
        poly tint  55,58 55,40 64,41 74,58
        blob main  4,82 6,64 24,58 60,56 84,58 96,66 97,82 80,88 20,88
        poly shade 6,78 96,78 95,86 7,86
        disc ink   26,86 12.5,12.5
        disc ink   75,86 12.5,12.5
        disc light 26,86 5.5,5.5
        disc light 75,86 5.5,5.5
        disc accent 94,68 3,4
        poly shade 50,64 58,64 58,66 50,66
    """,
    "rocket": """
        blob accent 42,80 46,96 50,100 54,96 58,80
        blob light 46,80 48,88 50,92 52,88 54,80
        poly shade 36,56 18,82 38,76
        poly shade 64,56 82,82 62,76
        blob main  50,0 62,18 66,44 62,80 50,82 38,80 34,44 38,18
        blob tint  50,4 42,22 40,50 43,78 47,60 47,24
        poly accent 50,0 56,8 60,20 40,20 44,8
        disc ink   50,38 9,9
        disc #8fd0e6 50,38 6.6,6.6
        poly shade 48,60 52,60 52,84 48,84
    """,
    "person": """
        blob ink   42,62 58,62 60,82 58,100 51,100 50,76 49,100 42,100 40,82
        curve main 7  40,38 30,52 28,64
        curve main 7  60,38 70,52 72,64
        blob main  50,30 62,35 63,52 61,70 50,72 39,70 37,52 38,35
        disc #e3a982 28,66 3.6,3.6
        disc #e3a982 72,66 3.6,3.6
        poly #e3a982 46,22 54,22 55,34 45,34
        disc #f0bd97 50,17 10,12
        blob ink   39,20 38,8 50,1 62,8 61,20 57,12 46,11
        disc ink   46,18 1.2,1.4
        disc ink   54,18 1.2,1.4
        curve ink 0.9  46,23 50,25 54,23
        poly tint  45,33 55,33 50,40
    """,
    "astronaut": """
        poly shade 30,42 70,42 72,70 28,70
        blob main  36,66 48,68 48,98 34,100 34,82
        blob main  64,66 52,68 52,98 66,100 66,82
        curve main 10  36,46 24,58 20,70
        curve main 10  64,46 78,42 86,28
        blob main  50,36 66,42 68,60 64,74 50,76 36,74 32,60 34,42
        disc main  50,24 21,21
        disc ink   50,25 15.5,14
        blob #5b8fd6  40,20 50,14 60,19 52,19
        poly accent 42,52 58,52 58,62 42,62
        disc light 46,57 2,2
        disc light 54,57 2,2
        poly shade 34,92 48,92 48,100 32,100
        poly shade 66,92 52,92 52,100 68,100
    """,
    "heart": """
        blob main  50,28 62,12 80,10 94,26 90,50 72,74 50,96 28,74 10,50 6,26 20,10 38,12
        blob tint  22,22 34,18 30,28 20,40 16,34
    """,
    "book": """
        poly shade 6,34 50,42 94,34 94,90 50,98 6,90
        blob paper 50,38 36,30 20,28 10,30 10,58 10,84 22,82 38,84 50,90
        blob paper 50,38 64,30 80,28 90,30 90,58 90,84 78,82 62,84 50,90
        poly main  49,38 51,38 51,92 49,92
        curve main 1.6  16,42 30,41 43,46
        curve main 1.6  16,52 30,51 43,56
        curve main 1.6  16,62 30,61 43,66
        curve main 1.6  57,46 70,41 84,42
        curve main 1.6  57,56 70,51 84,52
        curve main 1.6  57,66 70,61 84,62
        poly accent 70,28 78,28 78,50 74,45 70,50
    """,
    "robot": """
        curve shade 2  50,14 50,4
        disc accent 50,4 4,4
        curve shade 6  28,56 14,66 14,80
        curve shade 6  72,56 86,66 86,80
        disc main  14,81 5.5,5.5
        disc main  86,81 5.5,5.5
        poly shade 34,82 44,82 44,100 30,100
        poly shade 56,82 66,82 70,100 56,100
        blob main  30,50 50,48 70,50 72,68 70,86 50,88 30,86 28,68
        blob main  24,16 50,13 76,16 78,30 76,44 50,47 24,44 22,30
        poly ink   29,22 71,22 71,38 29,38
        disc light 40,30 5,5
        disc light 60,30 5,5
        disc accent 50,64 6,6
        curve tint 2  38,78 62,78
        curve tint 2  41,82 59,82
    """,
    "house": """
        poly shade 70,16 80,16 80,44 70,36
        poly main  14,52 86,52 86,100 14,100
        poly accent 4,56 50,16 96,56 90,60 50,26 10,60
        poly main  20,54 50,27 80,54
        poly shade 42,68 58,68 58,100 42,100
        disc light 55,85 1.4,1.4
        poly light 22,64 34,64 34,78 22,78
        poly light 66,64 78,64 78,78 66,78
        poly shade 27.3,64 28.7,64 28.7,78 27.3,78
        poly shade 71.3,64 72.7,64 72.7,78 71.3,78
        disc light 50,44 5.5,5.5
    """,
    "tree": """
        poly #6b4a32 45,100 47,60 53,60 55,100
        curve #6b4a32 2.4  50,76 60,66 66,58
        blob shade 50,8 70,14 84,32 80,54 64,66 50,68 36,66 20,54 16,32 30,14
        blob main  48,5 66,10 78,28 74,46 58,56 44,58 28,54 16,42 18,24 30,10
        blob tint  42,11 54,14 58,24 48,32 34,36 24,32 28,18
    """,
    "pine": """
        poly #5c4030 46,100 46,86 54,86 54,100
        poly shade 50,28 84,90 16,90
        poly main  50,14 76,66 24,66
        poly tint  50,0 66,40 34,40
    """,
    "boat": """
        curve #6b4a32 1.8  50,80 50,4
        blob paper 52,6 70,32 82,66 66,70 52,72
        poly main  48,14 48,70 16,70
        poly accent 50,2 62,5 50,9
        blob #8a5531  6,78 50,80 94,78 84,96 50,100 18,96
        poly #6b4029 9,84 91,84 89,87 11,87
    """,
    "balloon": """
        curve #6b4a32 0.9  36,62 44,84
        curve #6b4a32 0.9  64,62 56,84
        curve #6b4a32 0.9  50,66 50,84
        blob main  50,0 74,8 84,30 74,54 60,70 40,70 26,54 16,30 26,8
        blob tint  50,0 58,12 62,32 57,56 53,70 47,70 43,56 38,32 42,12
        blob accent 40,3 28,14 24,32 32,54 42,70 36,54 31,32 33,14
        blob accent 60,3 72,14 76,32 68,54 58,70 64,54 69,32 67,14
        poly #8a5531 42,84 58,84 56,97 44,97
    """,
    "lighthouse": """
        poly light 50,19 0,6 0,30
        blob #4b5568  14,100 26,90 50,87 74,90 88,100 50,102
        poly paper 38,92 42,30 58,30 62,92
        poly main  41.2,42 58.8,42 59.8,56 40.2,56
        poly main  39.2,70 60.8,70 61.9,85 38.1,85
        poly ink   38,27 62,27 62,31 38,31
        poly light 43,14 57,14 57,27 43,27
        poly ink   49.3,14 50.7,14 50.7,27 49.3,27
        poly main  40,15 50,4 60,15
        poly ink   47,92 47,84 53,84 53,92
    """,
    "bottle": """
        disc shade 50,96 24,3.6
        poly ink   44,2 56,2 56,14 44,14
        blob main  45,14 55,14 55,26 64,38 67,54 67,84 63,95 50,96 37,95 33,84 33,54 36,38 45,26
        poly paper 34,52 66,52 66,80 34,80
        poly accent 34,56 66,56 66,58 34,58
        disc accent 50,68 6,6
        blob tint  40,40 43,38 40,60 40,88 37,86 37,54
    """,
    "apple": """
        curve #6b4a32 3  50,30 52,18 58,8
        blob #56975c  54,20 66,8 82,10 72,22
        blob main  50,28 66,20 84,28 90,50 82,78 66,96 50,92 34,96 18,78 10,50 16,28 34,20
        blob tint  24,36 34,30 32,42 26,56 20,50
    """,
    "whale": """
        curve paper 2.2  34,38 32,26 22,20
        curve paper 2.2  34,38 36,26 46,20
        blob shade 80,58 90,44 98,30 99,44 94,54 99,62 88,70
        blob main  4,66 10,48 30,38 54,42 74,56 88,56 84,74 62,86 30,88 10,82
        blob tint  6,70 24,78 46,80 66,80 56,87 30,88 10,82
        blob shade 40,76 48,96 60,92 54,78
        disc ink   22,62 2.4,2.8
    """,
    "planet": """
        disc main  50,50 32,32
        blob tint  26,36 44,24 62,24 50,32 34,40
        blob shade 22,58 50,62 80,50 78,64 60,78 36,78
        curve accent 3  20,58 4,72 22,74 56,60 90,38 94,26 78,34
    """,
    "laptop": """
        poly ink   18,28 82,28 85,31 85,82 15,82 15,31
        poly main  20,34 80,34 80,76 20,76
        poly tint  26,42 52,42 52,46 26,46
        poly tint  26,52 66,52 66,55 26,55
        poly tint  26,60 60,60 60,63 26,63
        disc accent 68,44 5,5
        poly shade 6,82 94,82 98,90 2,90
        poly tint  42,82 58,82 56,85 44,85
    """,
    "circle": "disc main 50,50 44,44\n blob tint 20,38 34,20 50,15 38,28 27,46",
    "square": "poly main 8,12 92,12 92,96 8,96\n blob tint 16,20 34,19 24,26 18,40",
    "triangle": "poly main 50,8 98,94 2,94\n blob tint 46,28 48,30 34,58 28,64",
    "star": """
        poly main  50,2 62,36 98,37 70,59 80,94 50,74 20,94 30,59 2,37 38,36
        poly tint  50,2 50,52 38,36
        poly tint  2,37 50,52 38,36
        poly tint  20,94 50,52 30,59
        poly tint  80,94 50,52 50,74
        poly tint  98,37 50,52 70,59
    """,
}


def draw_shape(name: str, size: int, main: Colour, palette: Palette, *, finer: int) -> Image.Image:
    """A shape as an RGBA picture `size` pixels square, drawn `finer` times larger and scaled down for smooth edges."""
    colours = {
        "main": main,
        "shade": mix(main, INK, 0.28),
        "tint": mix(main, PAPER, 0.38),
        "ink": mix(INK, main, 0.12) if luminance(main) > 0.2 else palette.light,
        "light": palette.light,
        "paper": PAPER,
        "accent": palette.accent if _apart(palette.accent, main) else mix(main, PAPER, 0.6),
    }
    side = size * finer
    picture = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(picture)
    for line in SHAPES[name].strip().splitlines():
        kind, role, *rest = line.split()
        _draw_part(draw, kind, colours.get(role) or rgb(role.lstrip("#")), rest, side / 100)
    return picture.reduce(finer) if finer > 1 else picture


def _draw_part(draw: ImageDraw.ImageDraw, kind: str, colour: Colour, rest: list[str], scale: float) -> None:
    width = float(rest.pop(0)) * scale if kind == "curve" else 0.0
    points = [(float(x) * scale, float(y) * scale) for x, y in (pair.split(",") for pair in rest)]
    match kind:
        case "poly":
            draw.polygon(points, fill=colour)
        case "blob":
            draw.polygon(smooth(points, closed=True), fill=colour)
        case "disc":
            (x, y), (rx, ry) = points
            draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=colour)
        case "curve":
            path = smooth(points, closed=False)
            draw.line(path, fill=colour, width=max(1, round(width)), joint="curve")
            for x, y in (path[0], path[-1]):
                draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)


def smooth(points: list[Point], *, closed: bool, steps: int = 10) -> list[Point]:
    """A curve through the points (Catmull-Rom), as a list of short straight pieces."""
    count = len(points)
    found: list[Point] = []
    for i in range(count if closed else count - 1):
        if closed:
            a, b, c, d = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            a, b, c, d = (points[min(max(i + k, 0), count - 1)] for k in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            found.append((_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)))
    return found if closed else [*found, points[-1]]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _apart(one: Colour, other: Colour) -> bool:
    """Whether two colours can be told from each other at a glance."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 90
