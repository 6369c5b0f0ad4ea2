"""A small drawing surface that becomes a PNG file: rectangles, lines, and capital letters of five by seven dots."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise

Colour = int
"""A place in the palette."""

_ROWS = 7
_ADVANCE = 6
# Each letter as seven rows of five bits, the topmost first.
_LETTERS = {
    letter: bytes.fromhex(rows)
    for letter, rows in {
        "A": "0E11111F111111", "B": "1E11111E11111E", "C": "0E11101010110E", "D": "1E11111111111E",
        "E": "1F10101E10101F", "F": "1F10101E101010", "G": "0E11101711110F", "H": "1111111F111111",
        "I": "0E04040404040E", "J": "0702020202120C", "K": "11121418141211", "L": "1010101010101F",
        "M": "111B1515111111", "N": "11191513111111", "O": "0E11111111110E", "P": "1E11111E101010",
        "Q": "0E11111115120D", "R": "1E11111E141211", "S": "0F10100E01011E", "T": "1F040404040404",
        "U": "1111111111110E", "V": "11111111110A04", "W": "1111111515 1B11".replace(" ", ""), "X": "11110A040A1111",
        "Y": "11110A04040404", "Z": "1F01020408101F", "0": "0E11131519110E", "1": "040C040404040E",
        "2": "0E11010204081F", "3": "1E01010E01011E", "4": "02060A121F0202", "5": "1F101E0101110E",
        "6": "0608101E11110E", "7": "1F010204080808", "8": "0E11110E11110E", "9": "0E11110F01020C",
        ".": "00000000000C0C", ",": "000000000C0408", ":": "000C0C000C0C00", ";": "000C0C000C0408",
        "-": "0000001F000000", "/": "01010204081010", "%": "18190204081303", "(": "02040808080402",
        ")": "08040202020408", "'": "04040800000000", "_": "0000000000001F", "+": "0004041F040400",
    }.items()
}  # fmt: skip


class Raster:
    """A picture under way.

    Args:
        width: in dots.
        height: in dots.
        palette: red, green and blue of each colour; the first is the background.
    """

    def __init__(self, width: int, height: int, palette: Sequence[tuple[int, int, int]]) -> None:
        self.width, self.height = width, height
        self._palette = palette
        self._rows = [bytearray(width) for _ in range(height)]

    def rectangle(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fill a rectangle; what lies outside the picture is left out."""
        left, right = max(0, round(x)), min(self.width, round(x + width))
        if right > left:
            for row in self._rows[max(0, round(y)) : max(0, round(y + height))]:
                row[left:right] = bytes([colour]) * (right - left)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, thick: int = 3) -> None:
        """Draw through the points."""
        for (ax, ay), (bx, by) in pairwise(points):
            count = max(1, round(max(abs(bx - ax), abs(by - ay))))
            for number in range(count + 1):
                share = number / count
                x, y = ax + share * (bx - ax), ay + share * (by - ay)
                self.rectangle(x - thick / 2, y - thick / 2, thick, thick, colour)

    def text(self, x: float, y: float, words: str, colour: Colour, size: int = 2) -> float:
        """Write words from a top left corner on, a dot `size` wide; return where they end."""
        for letter in words.upper():
            for row, bits in enumerate(_LETTERS.get(letter, bytes(_ROWS))):
                for column in range(5):
                    if bits >> (4 - column) & 1:
                        self.rectangle(x + column * size, y + row * size, size, size, colour)
            x += _ADVANCE * size
        return x

    def to_png(self) -> bytes:
        """Return the file's bytes."""
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        colours = b"".join(bytes(colour) for colour in self._palette)
        dots = zlib.compress(b"".join(b"\0" + bytes(row) for row in self._rows), 9)
        chunks = (_chunk(b"IHDR", head), _chunk(b"PLTE", colours), _chunk(b"IDAT", dots), _chunk(b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def text_width(words: str, size: int = 2) -> int:
    """Return how wide words become."""
    return len(words) * _ADVANCE * size


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
