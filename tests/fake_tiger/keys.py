"""The two key pairs: the client's signs requests, the gateway's signs replies. Kept in a file, so that a restart keeps them."""

import base64
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

BITS = 1024  # what Tiger itself uses; nothing is protected here


class Keys:
    """`private_key` (base64 PKCS#1 DER) is the client's to sign with, `public_key` (base64 SPKI) the gateway's to check."""

    def __init__(self, client: rsa.RSAPrivateKey, server: rsa.RSAPrivateKey) -> None:
        self._client, self._server = client, server
        self._known = client.public_key()
        self.private_key = _private_text(client)
        self.public_key = _public_text(server)
        self.sign = lru_cache(maxsize=64)(self._sign)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The keys of a folder, made where it has none."""
        path = folder / "keys.json"
        if path.exists():
            stored = json.loads(path.read_text())
            return cls(*(serialization.load_der_private_key(base64.b64decode(stored[name]), None) for name in ("client", "server")))
        pairs = [rsa.generate_private_key(65537, BITS) for _ in range(2)]
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(zip(("client", "server"), map(_private_text, pairs), strict=True))))
        path.chmod(0o600)
        return cls(*pairs)

    def _sign(self, text: str) -> str:
        """The gateway's signature of a text (a request's timestamp)."""
        return base64.b64encode(self._server.sign(text.encode(), padding.PKCS1v15(), hashes.SHA1())).decode()

    def verified(self, text: str, signature: Any) -> bool:
        """Whether the client signed `text`."""
        try:
            self._known.verify(base64.b64decode(str(signature)), text.encode(), padding.PKCS1v15(), hashes.SHA1())
        except (InvalidSignature, ValueError):
            return False
        return True


def signed_content(fields: dict[str, Any]) -> str:
    """What is signed of a request: every field but the signature, sorted and joined."""
    parts = sorted((name, value) for name, value in fields.items() if name != "sign")
    return "&".join(f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}" for name, value in parts)


def _private_text(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return base64.b64encode(key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())).decode()


def _public_text(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()
