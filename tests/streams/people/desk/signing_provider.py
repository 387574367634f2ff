"""A provider of OpenID Connect that signs whatever a test has it say."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT: Final = "desk"


class SigningProvider(ThreadingHTTPServer):
    """Gives its description, its keys, and for any code the token that was laid down for it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.key = RSAKey.generate_key(2048, {"kid": "own", "use": "sig", "alg": "RS256"})
        self.other_key = RSAKey.generate_key(2048, {"kid": "own"})
        self.token = ""

    def claims(self, nonce: str, changed: Mapping[str, Any]) -> dict[str, Any]:
        """Return a good token's claims, but for those that are changed; None leaves one out."""
        now_s = int(time.time())
        good = {
            "iss": self.issuer, "aud": CLIENT, "sub": "u-1", "nonce": nonce, "iat": now_s,
            "exp": now_s + 600, "groups": ["hotline"],
        }  # fmt: skip
        return {name: value for name, value in (good | dict(changed)).items() if value is not None}

    def sign(self, claims: dict[str, Any], how: str = "RS256") -> None:
        """Lay a token down: signed with the provider's key, or as an attacker would."""
        if how in ("RS256", "another key"):
            key = self.key if how == "RS256" else self.other_key
            self.token = jwt.encode({"alg": "RS256", "kid": "own"}, claims, key)
            return
        # By hand: libraries refuse to make such tokens.
        algorithm = "none" if how == "none" else "HS256"
        parts = ({"alg": algorithm, "kid": "own"}, claims)
        signed = ".".join(_octets(json.dumps(each).encode()) for each in parts)
        public = self.key.as_pem(private=False)
        proof = b"" if how == "none" else hmac.digest(public, signed.encode(), "sha256")
        self.token = f"{signed}.{_octets(proof)}"

    def answer(self, path: str) -> Any:
        """What is said at an address; None where there is nothing."""
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            },
            "/keys": KeySet([self.key]).as_dict(private=False),
            "/token": {"access_token": "a", "token_type": "Bearer", "id_token": self.token},
        }.get(path)


class _Handler(BaseHTTPRequestHandler):
    server: SigningProvider

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        said = self.server.answer(self.path)
        body = json.dumps(said).encode()
        self.send_response(404 if said is None else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _octets(some: bytes) -> str:
    return base64.urlsafe_b64encode(some).rstrip(b"=").decode()


@contextmanager
def signing_provider() -> Iterator[SigningProvider]:
    """Serve one for the length of the block."""
    made = SigningProvider()
    thread = threading.Thread(target=made.serve_forever, name="provider")
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()
