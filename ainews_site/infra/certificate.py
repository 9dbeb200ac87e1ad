"""Reads when the TLS certificate of the site expires, from its PEM file."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

SOON = timedelta(days=14)
"""certbot renews a certificate 30 days before it expires, so that a later one is overdue."""
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_CONTEXT_0, _UTC_TIME = 0xA0, 0x17


def certificate_problem(path: str, now: datetime | None = None) -> str:
    """Return a sentence if the certificate cannot be read or expires SOON, else ""."""
    if not path:
        return ""
    try:
        end = expiry_of(Path(path))
    except OSError as error:
        return f"TLS_CERTIFICATE={path} cannot be read: {error.strerror}."
    except ValueError as error:
        return f"TLS_CERTIFICATE: {error}"
    left = end - (now or datetime.now(UTC))
    if left > SOON:
        return ""
    when = f"{end:%d %B %Y} at {end:%H:%M} UTC"
    verb = "expires on" if left > timedelta(0) else "expired on"
    return f"The certificate {path} {verb} {when}. Renew it, for example with: certbot renew."


def expiry_of(path: Path) -> datetime:
    """Return the end of the validity of the first certificate in a file, that of the site.

    Raises OSError or ValueError.
    """
    text = path.read_text(encoding="ascii", errors="replace")
    start, end = text.find(_BEGIN), text.find(_END)
    if start < 0 or end < start:
        raise ValueError(f"{path} has no certificate.")
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(text[start : end + len(_END)] + "\n"))
    except (IndexError, ValueError):
        raise ValueError(f"{path} is not a certificate.") from None


def _not_after(der: bytes) -> datetime:
    """Return the second time of `validity` (RFC 5280, 4.1)."""
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)  # tbsCertificate
    if rest[0] == _CONTEXT_0:  # version
        _, _, rest = _element(rest)
    for _ in ("serialNumber", "signature", "issuer"):
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    _, _, rest = _element(validity)  # notBefore
    tag, value, _ = _element(rest)
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag and content of the first element of DER, and what follows it."""
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return data[0], data[start : start + length], data[start + length :]
