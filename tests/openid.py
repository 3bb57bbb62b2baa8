"""A small OpenID provider for tests, on loopback: discovery, keys, authorization code with PKCE, tokens that may be wrong on purpose."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "inbox", "what the provider gave"


class Provider:
    """Says who the reader is. Tests change `claims`, `header`, `key` or `metadata`; a value of None leaves a claim out."""

    def __init__(self) -> None:
        self.key = self.own_key = RSAKey.generate_key(2048, {"kid": "own", "use": "sig"})
        self.issuer, self._codes, self.asked = "", {}, 0
        self.reset()

    def reset(self) -> None:
        self.key, self.header, self.metadata, self.sends_token = self.own_key, {"alg": "RS256", "kid": "own"}, {}, True
        self.claims = {"email": "kim@example.com", "email_verified": True}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _discovery(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
            | self.metadata
        )

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.own_key]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    async def _token(self, request: Request) -> Response:
        said = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self._codes.pop(said["code"], None)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(said["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            asked is None
            or request.headers["authorization"] != f"Basic {basic}"
            or said["redirect_uri"] != asked["redirect_uri"]
            or challenge.decode() != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "1001", "aud": CLIENT_ID, "iat": now, "exp": now + 300}
        claims = claims | {"nonce": asked["nonce"]} | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.header["alg"] == "none":
            parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (self.header, claims))
            token = b".".join([*parts, b""]).decode()
        else:
            key = OctKey.import_key(CLIENT_SECRET) if self.header["alg"] == "HS256" else self.key
            token = jwt.encode(self.header, claims, key, algorithms=["RS256", "HS256"])
        sent = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 300}
        return JSONResponse(sent | ({"id_token": token} if self.sends_token else {}))


@contextmanager
def provided() -> Iterator[Provider]:
    """A provider that answers, in a thread of this process."""
    provider = Provider()
    server = uvicorn.Server(uvicorn.Config(provider.app(), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    provider.issuer = f"http://127.0.0.1:{port}"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join()
