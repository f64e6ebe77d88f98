"""Trusting a certificate by its fingerprint, as with `serial-ws connect --fingerprint`."""

from __future__ import annotations

import hashlib
import ssl
from typing import Literal


class _PinnedContext(ssl.SSLContext):
    fingerprint: str


class _PinnedObject(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        # Before anything is sent, the token above all.
        certificate = self.getpeercert(binary_form=True) or b""
        found = hashlib.sha256(certificate).hexdigest()
        assert isinstance(self.context, _PinnedContext)
        if found != self.context.fingerprint:
            shown = ":".join(found[at : at + 2] for at in range(0, 64, 2)).upper()
            raise ssl.SSLCertVerificationError(f"the certificate has another fingerprint: {shown}")


def trust(url: str, fingerprint: str | None) -> ssl.SSLContext | Literal[True] | None:
    """Returns whom to trust: the certificates of the system, one with this fingerprint, or nobody without TLS."""
    if not url.startswith("wss:"):
        if fingerprint is not None:
            raise ValueError(f"a fingerprint needs an address that begins with wss://, not {url.partition('?')[0]}")
        return None
    return True if fingerprint is None else _pinned(fingerprint)


def _pinned(fingerprint: str) -> ssl.SSLContext:
    """Returns a context that trusts the certificate with this SHA-256, and no other one."""
    digits = fingerprint.replace(":", "").replace(" ", "").lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError("the fingerprint must have 32 bytes in hex, such as AB:CD:…")
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.fingerprint = digits
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslobject_class = _PinnedObject
    return context
