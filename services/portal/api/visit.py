"""One request of one browser: who it is, in which language, and the pages it is answered with."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from runtime.fault import Fault
from services.portal.api import cookies
from services.portal.api.catalog import Catalog
from services.portal.api.desk import Desk
from services.portal.api.faults import FaultPage, status_of
from services.portal.api.forms import Form, new_request_id, read_form
from services.portal.domain.form_token import form_token, form_token_holds
from services.portal.domain.language import choose_language
from services.portal.domain.paths import local_path
from services.portal.domain.person import Person, Role

Handler = Callable[["Visit"], Awaitable[Response]]
_WORK = ("/officer/", "/audit", "/decisions")
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass
class Visit:
    """One request; made by `begin`, answered through `page`, `done` or `go`."""

    desk: Desk
    request: Request
    t: Catalog
    person: Person | None = None
    form: Form = field(default_factory=Form)
    stale_session: bool = False
    _new_form_cookie: str = ""

    @classmethod
    async def begin(cls, desk: Desk, request: Request) -> "Visit":
        """Find out who is there. Raises Fault when account cannot say."""
        visit = cls.anonymous(desk, request)
        secret = cookies.read_secret(request, cookies.SESSION)
        if secret:
            try:
                visit.person = await desk.sessions.authenticate(secret)
            except Fault as fault:
                if fault.reason != "SESSION_INVALID":
                    raise
                visit.stale_session = True
        if visit.person and cookies.LANGUAGE not in request.cookies:
            visit.t = desk.catalogs.get(visit.person.language, visit.t)
        return visit

    @classmethod
    def anonymous(cls, desk: Desk, request: Request) -> "Visit":
        """Take the request as nobody's, without asking anyone."""
        language = choose_language(
            request.cookies.get(cookies.LANGUAGE), request.headers.get("accept-language", "")
        )
        return cls(desk, request, desk.catalogs[language])

    @property
    def signed_in(self) -> Person:
        """Return the person; endpoints that name a role have one."""
        if self.person is None:
            raise Fault("SESSION_INVALID", "this page needs a session")
        return self.person

    @property
    def reference(self) -> str:
        """Return the trace id of this request."""
        return str(self.request.state.reference)

    @property
    def path(self) -> str:
        """Return where a change of language leads back to."""
        if self.request.method == "POST":
            return local_path(self.form.text("page") or self.request.url.path.rpartition("/")[0])
        return local_path(self.request.url.path)

    @property
    def at_work(self) -> bool:
        """Tell whether the page is one of staff."""
        return self.request.url.path.startswith(_WORK)

    @property
    def token(self) -> str:
        """Return the form token of this browser, giving it a cookie to bind to if it has none."""
        if not self._browser and not self._new_form_cookie:
            self._new_form_cookie = secrets.token_urlsafe(32)
        return form_token(self.desk.form_key, self._browser or self._new_form_cookie)

    @property
    def request_id(self) -> str:
        """Return the id for a form: the one it came with when it is shown again, else a new one."""
        return self.form.text("request_id") or new_request_id()

    @property
    def _browser(self) -> str:
        return cookies.read_secret(self.request, cookies.SESSION if self.person else cookies.FORM)

    def require(self, *roles: Role) -> None:
        """Raise Fault unless somebody with one of these roles is signed in."""
        if not any(map(self.signed_in.may, roles)):
            raise Fault("ACTOR_ROLE_MISSING", "the page is for another role")

    async def accept_form(self, *, uploads: bool) -> None:
        """Read the posted form; 403 unless it was rendered for this browser."""
        self.form = await read_form(self.request, uploads=uploads)
        if not form_token_holds(self.desk.form_key, self._browser, self.form.text("token")):
            raise Fault("FORM_STALE", "the form token is not of this browser")

    def page(
        self,
        template: str,
        *,
        status: int = 200,
        wrong: Sequence[tuple[str, str]] = (),
        **values: object,
    ) -> Response:
        """Render a page. `wrong` are (field, catalog key) of what to correct in its form."""
        done = self.request.query_params.get("done", "")
        html = self.desk.templates.get_template(template).render(
            v=self,
            t=self.t,
            now=self.desk.clock.now(),
            region=self.desk.region,
            languages=[self.desk.catalogs[language] for language in self.desk.catalogs],
            done=f"done.{done}" if self.t.has(f"done.{done}") else "",
            wrong=dict(wrong),
            **values,
        )
        return HTMLResponse(html, status_code=status, headers={"content-language": self.t.language})

    def go(self, path: str, done: str = "") -> Response:
        """Send the browser to a page of ours after a post; `done` names what to say there."""
        return RedirectResponse(f"{path}?done={done}" if done else path, status_code=303)

    def sign_in_first(self) -> Response:
        """Send somebody unknown to sign in, and remember where they wanted to go."""
        response = self.go("/sign-in", "expired" if self.stale_session else "")
        if self.request.method in {"GET", "HEAD"}:
            cookies.put(
                response, cookies.NEXT, local_path(self.request.url.path), cookies.FLOW_SECONDS
            )
        return response

    def refusal(self, status: int) -> Response:
        """Answer with the page of an HTTP status."""
        return self.page(
            "error.html",
            status=status,
            what=FaultPage.of_status(self.t, status, self.request.url.path),
        )

    def fault(self, fault: Fault) -> Response:
        """Answer a fault with a page that says what it means and what to do next."""
        if fault.reason == "SESSION_INVALID":
            return self.sign_in_first()
        response = self.page(
            "error.html",
            status=status_of(fault),
            what=FaultPage.of_fault(self.t, fault, self.request.url.path),
        )
        if fault.retry_after:
            response.headers["retry-after"] = str(max(1, int(fault.retry_after.total_seconds())))
        return response

    def finish(self, response: Response) -> Response:
        """Set or clear the cookies that the request's course made necessary."""
        if self._new_form_cookie:
            cookies.put(response, cookies.FORM, self._new_form_cookie, None)
        if self.stale_session:
            cookies.drop(response, cookies.SESSION)
        return response


def endpoint(desk: Desk, handler: Handler, *roles: Role, uploads: bool = False) -> Endpoint:
    """Wrap a page: authenticate, check role and form, and turn every refusal into a page.

    Anybody may see a page without roles. They shape what is shown; whether an act is allowed is
    decided again by the peer, from the actor token.
    """

    async def serve(request: Request) -> Response:
        visit = Visit.anonymous(desk, request)
        try:
            visit = await Visit.begin(desk, request)
            if roles:
                visit.require(*roles)
            if request.method == "POST":
                await visit.accept_form(uploads=uploads)
            response = await handler(visit)
        except Fault as fault:
            response = visit.fault(fault)
        except HTTPException as error:
            response = visit.refusal(error.status_code)
        return visit.finish(response)

    return serve
