# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the text on a picture of a text screen, by the shapes of the letters that SeaBIOS's VGA BIOS draws with."""

import functools
import pathlib

VGABIOS = pathlib.Path("/usr/share/seabios/vgabios-stdvga.bin")
ROWS_OF_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")


@functools.cache
def glyphs():
    """The characters of ASCII by their 16 rows of 8 pixels."""
    rom = VGABIOS.read_bytes()
    font = rom.find(ROWS_OF_A) - 16 * ord("A")
    assert font >= 0, f"no 8 by 16 font in {VGABIOS}"
    shapes = {rom[font + 16 * code : font + 16 * code + 16]: chr(code) for code in range(32, 127)}
    assert len(shapes) == 95
    return shapes


def read(image):
    """The rows of text on a picture, without blanks at their ends; a cell that holds no letter reads as '¤'.

    A cell is 16 pixels high and 9 wide in a picture 720 wide, otherwise 8. Of its two colours the letter's may be
    either one: a bright letter on a dark ground, or the other way round.
    """
    image = image.convert("RGB")
    width, height = image.size
    cell = 9 if width == 720 else 8
    return [
        "".join(letter(image.crop((x, y, x + 8, y + 16))) for x in range(0, width - 7, cell)).rstrip()
        for y in range(0, height - 15, 16)
    ]


def letter(cell):
    colours = cell.getcolors(3)
    if colours is None:
        return "¤"
    if len(colours) == 1:
        return " "
    if len(colours) > 2:
        return "¤"
    data = cell.tobytes()
    pixels = [data[i : i + 3] for i in range(0, len(data), 3)]
    first = pixels[0]
    bits = int("".join("0" if pixel == first else "1" for pixel in pixels), 2).to_bytes(16, "big")
    inverse = bytes(row ^ 0xFF for row in bits)
    return glyphs().get(bits) or glyphs().get(inverse) or "¤"
