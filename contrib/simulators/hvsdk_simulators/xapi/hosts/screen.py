"""What a VM's screen shows: a few lines of text on black, drawn with a font of 3 by 5 dots."""

from __future__ import annotations

from functools import lru_cache

WIDTH, HEIGHT = 720, 400
SCALE = 4
BLACK, WHITE = 0, 255

_GLYPHS = {
    letter: rows
    for letter, rows in zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:()_/' ,+=#",
        (
            "25755 65656 34443 65556 74647 74644 34553 55755 72227 11152 55655 44447 57755 65555 25552 65644 25563"
            " 65655 34216 72222 55557 55552 55775 55255 55222 71247 75557 26227 61247 61216 55711 74616 34757 71122"
            " 75757 75716 00002 00700 02020 12221 42224 00007 11244 22000 00000 00024 02720 07070 57575"
        ).split(),
        strict=True,
    )
}
"""Five rows to a letter, each row an octal digit whose bits are its dots from left to right."""

_UNKNOWN = "77777"


@lru_cache(maxsize=64)
def draw(lines: tuple[str, ...]) -> bytes:
    """Give the screen as one byte of brightness per dot, row after row."""
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    for number, line in enumerate(lines):
        _draw_line(rows, line.upper(), top=16 + number * 8 * SCALE)
    return b"".join(rows)


def _draw_line(rows: list[bytearray], line: str, *, top: int) -> None:
    for column, letter in enumerate(line):
        left = 16 + column * 4 * SCALE
        if left + 3 * SCALE > WIDTH or top + 5 * SCALE > HEIGHT:
            return
        for offset, digit in enumerate(_GLYPHS.get(letter, _UNKNOWN)):
            _draw_dots(rows[top + offset * SCALE : top + (offset + 1) * SCALE], left, int(digit))


def _draw_dots(rows: list[bytearray], left: int, bits: int) -> None:
    dots = b"".join(bytes([WHITE if bits & mask else BLACK]) * SCALE for mask in (4, 2, 1))
    for row in rows:
        row[left : left + len(dots)] = dots
