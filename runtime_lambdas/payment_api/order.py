"""What a client may ask for: the shape of a payment and of a refund, checked before anything touches a database."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

MAX_AMOUNT = 10**12 - 1
"""In the currency's smallest unit: just under ten thousand million euros."""

_KEY = re.compile(r"[!-~]{1,255}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Invalid(ValueError):
    """A value that can't be accepted: which field, and what is accepted there."""


@dataclass(frozen=True)
class Order:
    """A payment to be made; `amount` is a whole number of the currency's smallest unit (1250 is 12.50 EUR)."""

    amount: int
    currency: str
    merchant: str
    reference: str | None

    @property
    def digest(self) -> str:
        """A fingerprint that is equal for two requests of the same meaning, whatever their layout."""
        return _digest(asdict(self))


@dataclass(frozen=True)
class RefundOrder:
    """A refund to be made; `amount` as in `Order`, in the currency of the payment."""

    amount: int

    def digest(self, payment: UUID) -> str:
        """A fingerprint of this refund of this payment."""
        return _digest({"payment": str(payment), "amount": self.amount})


def read_order(body: Any) -> Order:
    """Return the order that a JSON value describes.

    Raises:
        Invalid: A field is missing, unknown or out of range.
    """
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object with amount, currency, merchant and, if you like, reference.")
    if unknown := sorted(body.keys() - {"amount", "currency", "merchant", "reference"}):
        raise Invalid(f"Unknown field {unknown[0]!r}: known are amount, currency, merchant and reference.")
    return Order(
        amount=_amount(body),
        currency=_currency(body),
        merchant=_text(body, "merchant", 64),
        reference=_text(body, "reference", 140) if body.get("reference") is not None else None,
    )


def read_refund(body: Any) -> RefundOrder:
    """Return the refund that a JSON value describes.

    Raises:
        Invalid: The amount is missing or out of range, or something else is there.
    """
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object with amount.")
    if unknown := sorted(body.keys() - {"amount"}):
        raise Invalid(f"Unknown field {unknown[0]!r}: only amount is known.")
    return RefundOrder(_amount(body))


def read_key(header: str | None) -> str:
    """Return the idempotency key in a header.

    Raises:
        Invalid: It is missing or not 1 to 255 visible ASCII characters.
    """
    if header is None or not _KEY.fullmatch(header):
        raise Invalid(
            "Send an Idempotency-Key header of 1 to 255 visible ASCII characters, a new one for each payment or "
            "refund, so that a repeated request can't pay twice."
        )
    return header


def _amount(body: Mapping[str, Any]) -> int:
    amount = body.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or not 1 <= amount <= MAX_AMOUNT:
        raise Invalid(
            f"amount must be a whole number from 1 to {MAX_AMOUNT} in the currency's smallest unit: 12.50 EUR is 1250."
        )
    return amount


def _currency(body: Mapping[str, Any]) -> str:
    currency = body.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise Invalid("currency must be an ISO 4217 code of three capital letters, as EUR.")
    return currency


def _text(body: Mapping[str, Any], field: str, longest: int) -> str:
    text = body.get(field)
    if not isinstance(text, str) or not 1 <= len(text) <= longest or not text.isprintable():
        raise Invalid(f"{field} must be a text of 1 to {longest} printable characters.")
    return text


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
