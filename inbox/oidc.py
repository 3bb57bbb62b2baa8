"""Login with an OpenID provider: authorization code with PKCE, state and nonce; the session is a signed cookie for one working day.

Imported only where it is used, because authlib and its HTTP client come with it.
"""

import logging
import time
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from inbox.login import Sorry, groups_of, local, secret
from orchestration.settings import Settings

HOURS = 8  # that a login lasts: a working day
LEEWAY = 60  # seconds that the clocks of provider and inbox may differ
# A provider signs with a key of its own. Never with the client secret, and never not at all, whatever it announces.
SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
log = logging.getLogger(__name__)


def sessions(settings: Settings) -> Middleware:
    """Signed cookies that no script reads and no other site sends with a form."""
    is_https = urlsplit(settings.base_url).scheme == "https"
    return Middleware(
        SessionMiddleware,
        secret_key=secret("TOKENTRAIL_INBOX_SESSION_SECRET", settings.inbox_session_secret),
        session_cookie="__Host-tokentrail" if is_https else "tokentrail",
        max_age=HOURS * 3600,
        same_site="lax",
        https_only=is_https,
    )


def logged_in(session: dict[str, Any]) -> dict[str, Any] | None:
    """What the provider said of this browser's reader, while the login lasts."""
    said = session.get("person")
    return said if said and said["until"] > time.time() else None


class Login:
    """The way to the provider and back."""

    def __init__(self, settings: Settings, sorry: Sorry):
        self._settings, self._sorry = settings, sorry
        issuer = settings.inbox_oidc_issuer.removesuffix("/")
        self._provider = OAuth().register(
            "provider",
            client_id=settings.inbox_oidc_client_id,
            client_secret=secret("TOKENTRAIL_INBOX_OIDC_CLIENT_SECRET", settings.inbox_oidc_client_secret),
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": settings.inbox_oidc_scope, "code_challenge_method": "S256", "timeout": 10},
        )
        self.routes = [
            Route("/login", self.begin),
            Route("/login/callback", self.end),
            Route("/logout", self.leave, methods=["POST"]),
            Route("/logged-out", self.left),
        ]

    async def begin(self, request: Request) -> Response:
        """Sends the reader to the provider."""
        try:
            await self._metadata()
            request.session["next"] = local(request.query_params.get("next", ""))
            return await self._provider.authorize_redirect(
                request, f"{self._settings.base_url.rstrip('/')}/login/callback"
            )
        except (httpx2.HTTPError, AuthlibBaseError, RuntimeError, ValueError, KeyError) as error:
            return self._unreachable(error)

    async def end(self, request: Request) -> Response:
        """Takes who the provider says it is; a token that does not hold leaves no login."""
        onward = local(request.session.get("next", ""))
        try:
            metadata = await self._metadata()
            expected = {
                "iss": {"essential": True, "values": [metadata["issuer"]]},
                "aud": {"essential": True, "values": [self._settings.inbox_oidc_client_id]},
                "exp": {"essential": True},
                "nonce": {"essential": True},
            }
            token = await self._provider.authorize_access_token(request, claims_options=expected, leeway=LEEWAY)
            claims = token["userinfo"]  # of the signed token; missing where the provider sent none
        except httpx2.HTTPError as error:
            return self._unreachable(error)
        except (AuthlibBaseError, JoseError, RuntimeError, ValueError, KeyError, TypeError) as error:
            request.session.clear()
            log.warning("A login was refused: %s", type(error).__name__)  # its text may hold what is secret
            sentence = f"The provider's answer was not accepted ({type(error).__name__}). Open the inbox to try again."
            return self._sorry(401, "You are not logged in", sentence)
        request.session.clear()
        request.session["person"] = {
            "email": claims["email"] if claims.get("email") and claims.get("email_verified") is True else "",
            "called": str(claims.get("preferred_username") or claims.get("name") or claims["sub"]),
            "groups": groups_of(claims, self._settings),
            "until": time.time() + HOURS * 3600,
        }
        return RedirectResponse(onward, 303)

    async def leave(self, request: Request) -> Response:
        """Forgets the login of this browser; that of the provider stays."""
        request.session.clear()
        return RedirectResponse("/logged-out", 303)

    async def left(self, _request: Request) -> Response:
        """What is shown then."""
        return self._sorry(200, "You are logged out", "Open the inbox to log in again.")

    async def _metadata(self) -> dict[str, Any]:
        """What the provider says of itself, with the signatures that we take. Raises ValueError for another's."""
        metadata = await self._provider.load_server_metadata()
        if str(metadata["issuer"]).removesuffix("/") != self._settings.inbox_oidc_issuer.removesuffix("/"):
            raise ValueError("The discovery document is of another issuer.")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in SIGNED] or ["RS256"]
        return metadata

    def _unreachable(self, error: Exception) -> Response:
        log.warning("The login cannot be reached: %s", type(error).__name__)
        sentence = "The OpenID provider of TOKENTRAIL_INBOX_OIDC_ISSUER does not answer as one: try again in a minute."
        return self._sorry(502, "The login does not answer", sentence)
