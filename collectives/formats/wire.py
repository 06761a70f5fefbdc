"""The wire format of protocol buffers, as much of it as traces need."""

from collections.abc import Iterable, Iterator

from topo_sim.base.files.faults import Faults

__all__ = ["delimited", "fields", "integers", "number_field", "packed_field", "split", "text_field", "varint"]

_MASK = 2**64 - 1


def varint(value: int) -> bytes:
    """Write an integer in groups of seven bits, least first; a negative one as 64 bits.

    Examples
    --------
    >>> varint(300).hex(), varint(-1).hex()
    ('ac02', 'ffffffffffffffffff01')
    """
    rest, out = value & _MASK, bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def number_field(field: int, value: int) -> bytes:
    """Write a field that is an integer or a truth value."""
    return varint(field << 3) + varint(value)


def text_field(field: int, value: str | bytes) -> bytes:
    """Write a field that is text, or a message already written."""
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def packed_field(field: int, values: Iterable[int]) -> bytes:
    """Write a field that is a list of integers; nothing if it is empty."""
    data = b"".join(map(varint, values))
    return text_field(field, data) if data else b""


def delimited(message: bytes) -> bytes:
    """Write a message with its length before it."""
    return varint(len(message)) + message


def _read_varint(data: bytes, at: int, faults: Faults, base: int) -> tuple[int, int]:
    value = shift = 0
    start = at
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & _MASK, at
    raise _refuse(faults, base + start, "found an integer that does not end, expected 1 to 10 bytes")


def _refuse(faults: Faults, at: int, text: str) -> Exception:
    return faults.refuse((f"byte {at}",), text)


def split(data: bytes, faults: Faults) -> Iterator[tuple[int, bytes]]:
    """Cut data into messages that have their length before them.

    Parameters
    ----------
    data : bytes
    faults : Faults

    Yields
    ------
    start : int
        Where the message begins.
    message : bytes

    Raises
    ------
    FaultsError
        If the data end inside a message.
    """
    at = 0
    while at < len(data):
        size, begin = _read_varint(data, at, faults, 0)
        if begin + size > len(data):
            left = len(data) - begin
            raise _refuse(faults, at, f"found a message of {size} bytes, expected at most the {left} left")
        yield begin, data[begin : begin + size]
        at = begin + size


def fields(data: bytes, faults: Faults, base: int = 0) -> Iterator[tuple[int, int | bytes]]:
    """Cut a message into fields.

    Parameters
    ----------
    data : bytes
    faults : Faults
    base : int
        Where the message begins in the file.

    Yields
    ------
    field : int
    value : int or bytes
        Of fixed-width fields the bytes.

    Raises
    ------
    FaultsError
        If it is no message.

    Examples
    --------
    >>> list(fields(number_field(1, 300) + text_field(2, "ab"), Faults("a.et")))
    [(1, 300), (2, b'ab')]
    """
    at = 0
    while at < len(data):
        start = at
        key, at = _read_varint(data, at, faults, base)
        field, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _read_varint(data, at, faults, base)
            yield field, value
            continue
        if kind not in (1, 2, 5) or not field:
            raise _refuse(
                faults, base + start, f"found field {field} of wire type {kind}, expected type 0, 1, 2 or 5"
            )
        size = {1: 8, 5: 4}.get(kind, 0)
        if kind == 2:
            size, at = _read_varint(data, at, faults, base)
        if at + size > len(data):
            raise _refuse(faults, base + start, f"found a field of {size} bytes that its message cuts short")
        yield field, data[at : at + size]
        at += size


def integers(value: int | bytes, faults: Faults, base: int = 0) -> list[int]:
    """Read one value of a repeated integer field: one number, or many packed."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = _read_varint(value, at, faults, base)
        found.append(number)
    return found
