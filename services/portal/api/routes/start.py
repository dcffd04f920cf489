"""The way in and out: home, sign-in at a provider, sign-up, language, sign-out."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime.fault import Fault
from services.portal.api import cookies
from services.portal.api.cookies import Flow
from services.portal.api.desk import Desk
from services.portal.api.visit import Visit, endpoint
from services.portal.api.wrong import Wrong, wrong_fields
from services.portal.cases.arrive import arrive
from services.portal.domain.language import LANGUAGES
from services.portal.domain.offers import NOTICE
from services.portal.domain.paths import local_path
from services.portal.domain.person import (
    Arrival,
    Person,
    ProfileField,
    Registration,
    Session,
    SignUp,
)

_LONGEST_PARAMETER = 4096


def routes(desk: Desk) -> list[Route]:
    """Return the routes that need nobody to be signed in."""
    return [
        Route("/", endpoint(desk, home)),
        Route("/sign-in", endpoint(desk, sign_in)),
        Route("/sign-in/{provider}", endpoint(desk, begin), methods=["POST"]),
        Route("/callback/{provider}", endpoint(desk, callback)),
        Route("/sign-up", endpoint(desk, sign_up)),
        Route("/sign-up", endpoint(desk, register), methods=["POST"]),
        Route("/sign-up/leave", endpoint(desk, leave), methods=["POST"]),
        Route("/sign-out", endpoint(desk, sign_out), methods=["POST"]),
        Route("/language/{language}", language),
    ]


async def home(visit: Visit) -> Response:
    """Show what this is, and the ways in; to somebody signed in, the ways on."""
    if visit.person:
        return visit.page("home.html")
    return visit.page("welcome.html", providers=await visit.desk.sessions.providers())


async def sign_in(visit: Visit) -> Response:
    """Show the ways in alone: where a page leads that needs somebody to be signed in."""
    if visit.person:
        return visit.go("/")
    return visit.page("sign_in.html", providers=await visit.desk.sessions.providers())


async def begin(visit: Visit) -> Response:
    """Send the browser to a provider, bound to a new flow by a cookie."""
    provider = visit.request.path_params["provider"]
    departure = await visit.desk.sessions.begin(provider, visit.t.language)
    response = RedirectResponse(departure.authorization_url, status_code=303)
    cookies.put_flow(response, Flow(links=False, secret=departure.flow_secret))
    return response


async def callback(visit: Visit) -> Response:
    """Take what a provider sent back; the flow's cookie says what it was begun for."""
    flow = cookies.read_flow(visit.request)
    if flow is None:
        raise Fault("FLOW_UNKNOWN", "no flow is under way in this browser")
    linker: Person | None = visit.signed_in if flow.links else None
    try:
        result = await arrive(
            visit.desk.sessions,
            visit.desk.accounts,
            linker=linker,
            flow_secret=flow.secret,
            arrival=_arrival(visit.request),
        )
    except Fault as fault:
        response = visit.fault(fault)
        if fault.reason not in {"UNAVAILABLE", "DEADLINE_TOO_SHORT", "OVERLOADED"}:
            cookies.drop(response, cookies.FLOW)
        return response
    if isinstance(result, Session):
        response = _signed_in(visit, result, "signed_in")
    elif isinstance(result, Registration):
        response = visit.go("/sign-up")
        cookies.put_until(
            response, cookies.REGISTRATION, result.secret, result.expires, visit.desk.clock.now()
        )
    else:
        response = visit.go("/account", "linked")
    # Facebook adds a fragment of its own, which would cling to the address.
    response.headers["location"] += "#main"
    cookies.drop(response, cookies.FLOW)
    return response


async def sign_up(visit: Visit) -> Response:
    """Show the form for a new account, with what the provider suggests."""
    if visit.person:
        return visit.go("/account")
    return await _sign_up_page(visit, [])


async def register(visit: Visit) -> Response:
    """Register the account and sign its person in."""
    form, wrong = visit.form, list[tuple[str, str]]()
    try:
        birth_date = form.day("birth_date")
    except ValueError:
        birth_date = None
        wrong.append(("birth_date", "wrong.birth_date"))
    if not form.text("country"):
        wrong.insert(0, ("country", "wrong.country"))
    if not form.ticked("notice"):
        wrong.append(("notice", "wrong.notice"))
    if wrong:
        return await _sign_up_page(visit, wrong)
    sign_up = SignUp(
        country=form.text("country"),
        birth_date=birth_date,
        imports=[field for field in ProfileField if field in form.many("imports")],
        notice=NOTICE,
        language=visit.t.language,
    )
    try:
        session = await visit.desk.sessions.register(
            _registration_secret(visit), form.request_id, sign_up
        )
    except Fault as fault:
        fields = {"country": "country", "birth_date": "birth_date"}
        return await _sign_up_page(visit, wrong_fields(fault, fields))
    return _signed_in(visit, session, "registered", "/account")


async def leave(visit: Visit) -> Response:
    """Forget a sign-up that was begun: nothing is at account yet, all of it is in the cookie."""
    response = visit.go("/sign-in")
    cookies.drop(response, cookies.REGISTRATION)
    return response


async def sign_out(visit: Visit) -> Response:
    """End the session at account, then forget it here, and any sign-up that was begun."""
    secret = cookies.read_secret(visit.request, cookies.SESSION)
    if secret:
        await visit.desk.sessions.end(secret)
    response = visit.go("/", "signed_out")
    cookies.drop(response, cookies.SESSION, cookies.REGISTRATION)
    return response


async def language(request: Request) -> Response:
    """Remember a language and go back to the page; a link, since nothing but words changes."""
    back = RedirectResponse(local_path(request.query_params.get("from", "/")), status_code=303)
    if request.path_params["language"] in LANGUAGES:
        cookies.put_language(back, request.path_params["language"])
    return back


async def _sign_up_page(visit: Visit, wrong: Wrong) -> Response:
    registration = await visit.desk.sessions.registration(_registration_secret(visit))
    return visit.page(
        "sign_up.html",
        status=400 if wrong else 200,
        wrong=wrong,
        registration=registration,
        chosen=visit.form.many("imports"),
        countries=visit.t.countries(),
    )


def _registration_secret(visit: Visit) -> str:
    secret = cookies.read_secret(visit.request, cookies.REGISTRATION)
    if not secret:
        raise Fault("REGISTRATION_UNKNOWN", "no registration is open in this browser")
    return secret


def _signed_in(visit: Visit, session: Session, done: str, default: str = "/") -> Response:
    """Start the session in this browser and go where its person first wanted to go.

    The secret is always a new one, so nobody can plant a session of theirs in a browser.
    """
    wanted = local_path(visit.request.cookies.get(cookies.NEXT, default))
    response = visit.go(wanted, done)
    cookies.put_until(
        response, cookies.SESSION, session.secret, session.expires, visit.desk.clock.now()
    )
    cookies.drop(response, cookies.NEXT, cookies.REGISTRATION, cookies.FORM)
    visit.stale_session = False
    return response


def _arrival(request: Request) -> Arrival:
    """Read the parameters of a callback (RFC 6749 §4.1.2, RFC 9207), bounded, each at most once."""

    def one(name: str) -> str | None:
        values = request.query_params.getlist(name)
        if len(values) > 1 or any(len(value) > _LONGEST_PARAMETER for value in values):
            raise Fault("FLOW_MISMATCH", f"the callback's {name} is malformed")
        return values[0] if values else None

    return Arrival(
        provider=request.path_params["provider"],
        state=one("state") or "",
        code=one("code"),
        issuer=one("iss"),
        error=one("error"),
    )
