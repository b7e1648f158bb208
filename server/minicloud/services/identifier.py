"""Identifiers, from chance and time that the caller hands in."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime
from typing import Final

from .context import Entropy

# RFC 4648's "extended hex" alphabet sorts as the bits do, so ids made later sort later.
_TIME_BYTES: Final = 6
_CHANCE_BITS: Final = 52


def operation_id(now: datetime, entropy: Entropy) -> str:
    """``op-`` and 20 base32 characters: 48 bits of milliseconds, then 52 of chance."""
    return f"op-{_ordered(now, entropy)}"


def run_id(now: datetime, entropy: Entropy) -> str:
    """``run-`` and the same."""
    return f"run-{_ordered(now, entropy)}"


def reservation_id(now: datetime, entropy: Entropy) -> str:
    """``rsv-`` and the same."""
    return f"rsv-{_ordered(now, entropy)}"


def token_id(entropy: Entropy) -> str:
    """Ten base32 characters."""
    return _base32(entropy.token(8))[:10]


def domain_uuid(entropy: Entropy) -> str:
    """A random UUID (version 4), as libvirt writes it."""
    return str(uuid.UUID(bytes=entropy.token(16), version=4))


def mac_address(entropy: Entropy) -> str:
    """An address in the range that QEMU guests use."""
    return "52:54:00:" + entropy.token(3).hex(":")


def _ordered(now: datetime, entropy: Entropy) -> str:
    chance = int.from_bytes(entropy.token(7), "big") >> (56 - _CHANCE_BITS)
    milliseconds = int(now.timestamp() * 1000) % (1 << 8 * _TIME_BYTES)
    # 100 bits fill 20 characters; 4 more make whole bytes and are cut off again.
    return _base32(((milliseconds << _CHANCE_BITS | chance) << 4).to_bytes(13, "big"))[:20]


def _base32(data: bytes) -> str:
    return base64.b32hexencode(data).decode().rstrip("=").lower()
