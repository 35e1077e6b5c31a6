"""What every answer of the server says, and which requests it refuses.

The policy lets the browser load nothing from other servers, whatever the library of the form asks
for. A page of another site can send requests to a server on this machine; its address in their
headers tells them apart.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES = ("127.0.0.1", "localhost")
RESULTS_PATH = "/results"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_POLICY = {
    "default-src": "'self'",
    # Gradio's page is made of scripts in the page, and compiles its templates there.
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
# The page of a clip brings a stricter policy of its own; here it is shown within the app.
_RESULTS_POLICY = "frame-ancestors 'self'"


class Guard:
    """Middleware: adds the policy, and refuses requests that another site's page has sent."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        """Wrap an application.

        Args:
            host: the address that the server listens on. Where it is of this machine only, requests
                to any other name are refused: another site's name may lead here, too.
        """
        self._app = app
        self._names = (*LOCAL_NAMES, host) if host in LOCAL_NAMES else None
        self._policy = "; ".join(f"{name} {sources}" for name, sources in _POLICY.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._is_own(scope["method"], Headers(scope=scope)):
            refusal = PlainTextResponse("requests of other sites are refused", 403)
            await refusal(scope, receive, send)
            return
        is_result = scope["path"].startswith(f"{RESULTS_PATH}/")
        policy = _RESULTS_POLICY if is_result else self._policy

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = policy
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, send_with_policy)

    def _is_own(self, method: str, headers: Headers) -> bool:
        host = headers.get("host", "")
        if self._names is not None and urlsplit(f"//{host}").hostname not in self._names:
            return False
        origin = headers.get("origin")
        if method in _SAFE_METHODS or origin is None:
            return True
        return urlsplit(origin).netloc == host
