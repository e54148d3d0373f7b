"""Reads what the packaging tests need about a program: which kind of machine it is for, and whether it needs a library."""

import struct

# The kinds of machine that a 64-bit ELF file may be for, in the words of Rust's targets.
MACHINES = {62: "x86_64", 183: "aarch64"}

# The program header that names the loader of shared libraries.
INTERPRETER = 3


def machine(elf):
    """The kind of machine; None where these bytes are not a 64-bit ELF file for one of them."""
    if elf[:5] != b"\x7fELF\x02":
        return None
    (number,) = struct.unpack_from("<H", elf, 18)
    return MACHINES.get(number)


def is_static(elf):
    """Whether a program runs without any shared library, even that of C."""
    (offset,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    headers = [struct.unpack_from("<I", elf, offset + at * size)[0] for at in range(count)]
    return INTERPRETER not in headers
