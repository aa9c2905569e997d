"""A plain reader of QR codes, from the squares of an SVG to the text: an oracle for ours.

It undoes each step of ISO/IEC 18004 in turn (format, mask, zigzag, blocks, bytes) for codes
in byte mode up to version 10 at correction level M, and corrects no errors: every square
must be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Matrix = list[list[bool]]

BLOCKS_M = {
    # version: (data codewords of each block), correction level M (ISO/IEC 18004, table 9)
    1: (16,),
    2: (28,),
    3: (44,),
    4: (32, 32),
    5: (43, 43),
    6: (27, 27, 27, 27),
    7: (31, 31, 31, 31),
    8: (38, 38, 39, 39),
    9: (36, 36, 36, 37, 37),
    10: (43, 43, 43, 43, 44),
}
ALIGNED = {
    1: (),
    2: (6, 18),
    3: (6, 22),
    4: (6, 26),
    5: (6, 30),
    6: (6, 34),
    7: (6, 22, 38),
    8: (6, 24, 42),
    9: (6, 26, 46),
    10: (6, 28, 50),
}
MASKS: tuple[Callable[[int, int], bool], ...] = (
    lambda i, j: (i + j) % 2 == 0,
    lambda i, j: i % 2 == 0,
    lambda i, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: (i * j) % 2 + (i * j) % 3 == 0,
    lambda i, j: ((i * j) % 2 + (i * j) % 3) % 2 == 0,
    lambda i, j: ((i + j) % 2 + (i * j) % 3) % 2 == 0,
)
FORMAT_MASK = 0b101010000010010
LEVEL_M = 0b00
BYTE_MODE = 0b0100


def read_svg(svg: str, border: int = 4) -> Matrix:
    """The squares of a code that segno drew as one path of horizontal strokes."""
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    stroked = re.search(r'stroke="#000" d="([^"]+)"', svg)
    assert box is not None
    assert stroked is not None, svg[:300]
    side = int(box[1])
    whole = [[False] * side for _ in range(side)]
    x, y = 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", stroked[1]):
        values = [float(one) for one in re.findall(r"-?\d*\.?\d+", numbers)]
        if command == "M":
            x, y = values
        elif command == "m":
            x, y = x + values[0], y + values[1]
        else:
            for column in range(int(x), int(x + values[0])):
                whole[int(y)][column] = True
            x += values[0]
    for row in (*whole[:border], *whole[-border:]):
        assert not any(row), "the quiet zone must be empty"
    return [row[border:-border] for row in whole[border:-border]]


def read_text(matrix: Matrix) -> tuple[str, int]:
    """The text of a code, and its version."""
    side = len(matrix)
    version = (side - 17) // 4
    assert side == 17 + 4 * version
    mask = _mask_of(matrix)
    taken = _function_squares(side, version)
    bits = [matrix[i][j] ^ MASKS[mask](i, j) for i, j in _zigzag(side) if (i, j) not in taken]
    words = [
        sum(bit << (7 - place) for place, bit in enumerate(bits[first : first + 8]))
        for first in range(0, len(bits) - 7, 8)
    ]
    blocks = BLOCKS_M[version]
    data: list[list[int]] = [[] for _ in blocks]
    source = iter(words)
    for place in range(max(blocks)):
        for block, size in zip(data, blocks, strict=True):
            if place < size:
                block.append(next(source))
    stream = "".join(f"{word:08b}" for block in data for word in block)
    assert int(stream[:4], 2) == BYTE_MODE
    count_bits = 8 if version < 10 else 16
    count = int(stream[4 : 4 + count_bits], 2)
    start = 4 + count_bits
    return bytes(
        int(stream[start + 8 * place : start + 8 * place + 8], 2) for place in range(count)
    ).decode(), version


def _mask_of(matrix: Matrix) -> int:
    places = [(8, 0), (8, 1), (8, 2), (8, 3), (8, 4), (8, 5), (8, 7), (8, 8)]
    places += [(7, 8), (5, 8), (4, 8), (3, 8), (2, 8), (1, 8), (0, 8)]
    value = 0
    for i, j in places:
        value = value << 1 | matrix[i][j]
    value ^= FORMAT_MASK
    assert value >> 13 == LEVEL_M
    return value >> 10 & 0b111


def _function_squares(side: int, version: int) -> set[tuple[int, int]]:
    taken = {(6, k) for k in range(side)} | {(k, 6) for k in range(side)}
    for top, left in ((0, 0), (0, side - 8), (side - 8, 0)):
        taken |= {(top + i, left + j) for i in range(8) for j in range(8)}
    taken |= {(8, k) for k in (*range(9), *range(side - 8, side))}
    taken |= {(k, 8) for k in (*range(9), *range(side - 8, side))}
    centres = ALIGNED[version]
    for i in centres:
        for j in centres:
            corner = {i, j} == {6} or (i, j) in ((6, centres[-1]), (centres[-1], 6))
            if not corner:
                taken |= {(i + a, j + b) for a in range(-2, 3) for b in range(-2, 3)}
    if version >= 7:
        taken |= {(i, side - 11 + j) for i in range(6) for j in range(3)}
        taken |= {(side - 11 + j, i) for i in range(6) for j in range(3)}
    return taken


def _zigzag(side: int) -> Iterator[tuple[int, int]]:
    upward = True
    for right in (*range(side - 1, 6, -2), *range(5, 0, -2)):
        rows = range(side - 1, -1, -1) if upward else range(side)
        for i in rows:
            yield i, right
            yield i, right - 1
        upward = not upward
