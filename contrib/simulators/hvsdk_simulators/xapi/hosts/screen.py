"""What a VM's screen shows: a few lines of text on black, drawn with a font of 3 by 5 dots."""

from __future__ import annotations

from functools import lru_cache

WIDTH, HEIGHT = 720, 400
SCALE = 4
BLACK, WHITE = 0, 255

_FONT = """
    A25755 B65656 C34443 D65556 E74647 F74644 G34553 H55755 I72227 J11152 K55655 L44447 M57755 N65555 O25552 P65644
    Q25563 R65655 S34216 T72222 U55557 V55552 W55775 X55255 Y55222 Z71247 075557 126227 261247 361216 455711 574616
    634757 771122 875757 975716 .00002 -00700 :02020 (12221 )42224 _00007 /11244 '22000 ,00024 +02720 =07070 #57575
"""
"""A letter, and its five rows: each an octal digit whose bits are its dots from left to right."""
_GLYPHS = {" ": "00000"} | {glyph[0]: glyph[1:] for glyph in _FONT.split()}

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
