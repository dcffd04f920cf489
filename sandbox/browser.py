"""A small browser for the tour and the tests: pages, links, forms, cookies; no scripts, no styles.

It knows nothing of Accord but its address. What it can do, a person without JavaScript can do.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

_TIMEOUT_S = 20.0
_MAX_HOPS = 10
_TRACE = "accord-reference"  # the portal tells people the trace id as a reference
_VOID_TEXT = frozenset({"script", "style", "svg", "title"})


class LostError(Exception):
    """The page does not have what was looked for; the message says what the page shows instead."""


@dataclass
class Form:
    """A form as the page offers it: its fields with their values, and its buttons."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)  # ticked or not, selected or not
    buttons: list[tuple[str, str, str]] = field(default_factory=list)  # words, name, value

    def data(
        self, button: str = "", values: dict[str, str | Sequence[str]] | None = None
    ) -> dict[str, list[str]]:
        """Return what submitting sends, with `values` filled in; LostError for a foreign field."""
        data: dict[str, list[str]] = {}
        for name, value in self.fields:
            data.setdefault(name, []).append(value)
        pressed = [each for each in self.buttons if each[0].startswith(button)][:1]
        for name, given in (values or {}).items():
            wanted = [given] if isinstance(given, str) else list(given)
            named = [each for each in self.buttons if each[1:] == (name, wanted[0])]
            if named:  # a button is a choice too, when the form names several alike
                pressed = named
                continue
            offered = self.choices.get(name)
            if offered is None and name not in data:
                raise LostError(f"the form has no field {name}; it has {sorted(self.names)}")
            if offered is not None and not set(wanted) <= set(offered):
                raise LostError(f"the form offers {offered} for {name}, not {wanted}")
            data[name] = wanted
        return data | {name: [value] for _, name, value in pressed if name}

    @property
    def names(self) -> set[str]:
        """Return the names of all fields."""
        return {name for name, _ in self.fields} | set(self.choices)


class Page(HTMLParser):
    """A page as a reader takes it in."""

    def __init__(self, response: httpx.Response, trace_ids: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.trace_ids = trace_ids  # of the requests on the way here, the first one first
        self.url = str(response.url)
        self.status = response.status_code
        self.html = response.text
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []  # words, address
        self.heading = ""
        self._words: list[str] = []
        self._path: list[str] = []
        self._link = self._select = self._option = ""
        self._button: tuple[str, str] | None = None
        self._caught: list[str] = []
        self.feed(self.html)

    @property
    def text(self) -> str:
        """Return the words of the page, blanks drawn together."""
        return " ".join(" ".join(self._words).split())

    @property
    def path(self) -> str:
        """Return the path of the address."""
        return urlsplit(self.url).path

    def form(self, action: str = "", button: str = "") -> Form:
        """Return the first form whose action ends so and that has a button with these words."""
        for form in self.forms:
            fits = not button or any(words.startswith(button) for words, _, _ in form.buttons)
            if urlsplit(form.action).path.endswith(action) and fits:
                return form
        raise LostError(f"no form {action!r} {button!r} on {self}")

    def link(self, words: str) -> str:
        """Return the address of the first link that begins with these words."""
        for found, address in self.links:
            if found.startswith(words):
                return address
        raise LostError(f"no link {words!r} on {self}")

    def __str__(self) -> str:
        return f"{self.status} {self.path}: {self.text[:400]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in an element."""
        given = {name: value or "" for name, value in attrs}
        self._path.append(tag)
        match tag:
            case "form":
                action = urljoin(self.url, given.get("action", ""))
                self.forms.append(Form(action, given.get("method", "get").lower()))
            case "a" if "href" in given:
                self._link, self._caught = urljoin(self.url, given["href"]), []
            case "input" if self.forms and given.get("name"):
                self._input(given)
            case "select":
                self._select = given.get("name", "")
                self.forms[-1].choices.setdefault(self._select, [])
            case "option" if self._select:
                self._choose(self._select, given.get("value", ""), picked="selected" in given)
            case "textarea":
                self.forms[-1].fields.append((given.get("name", ""), ""))
            case "button":
                self._button, self._caught = (given.get("name", ""), given.get("value", "")), []
            case "h1":
                self._caught = []

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        words = " ".join("".join(self._caught).split())
        match tag:
            case "a" if self._link:
                self.links.append((words, self._link))
                self._link = ""
            case "button" if self._button is not None and self.forms:
                self.forms[-1].buttons.append((words, *self._button))
                self._button = None
            case "h1":
                self.heading = words
            case "select":
                self._end_select()
        while self._path and self._path.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Take in words."""
        self._caught.append(data)
        if not _VOID_TEXT & set(self._path):
            self._words.append(data)

    def _input(self, given: dict[str, str]) -> None:
        name, value = given["name"], given.get("value", "")
        if given.get("type") in {"checkbox", "radio"}:
            self._choose(name, value or "on", picked="checked" in given)
        else:
            self.forms[-1].fields.append((name, value))

    def _choose(self, name: str, value: str, *, picked: bool) -> None:
        form = self.forms[-1]
        form.choices.setdefault(name, []).append(value)
        if picked:
            form.fields.append((name, value))

    def _end_select(self) -> None:
        form, name = self.forms[-1], self._select
        if form.choices[name] and name not in {field for field, _ in form.fields}:
            form.fields.append((name, form.choices[name][0]))  # what a browser shows first
        self._select = ""


class Browser:
    """One person's browser: its own cookies, following redirects like any other."""

    def __init__(self, origin: str, trust: Path) -> None:
        self._origin = origin
        context = ssl.create_default_context(cafile=trust)
        self._client = httpx.Client(
            verify=context,
            timeout=_TIMEOUT_S,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),  # or a server's stop waits for us
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def open(self, address: str) -> Page:
        """Go to an address, or to a path of the portal."""
        return self._follow(self._client.build_request("GET", urljoin(self._origin, address)))

    def submit(self, form: Form, button: str = "", **values: str | Sequence[str]) -> Page:
        """Fill in a form and press the button whose words begin so."""
        data = form.data(button, values)
        target = urlsplit(form.action)
        headers = {"sec-fetch-site": "same-origin", "origin": f"{target.scheme}://{target.netloc}"}
        request = self._client.build_request("POST", form.action, data=data, headers=headers)
        return self._follow(request)

    def download(self, address: str) -> bytes:
        """Return the bytes behind an address."""
        response = self._client.get(urljoin(self._origin, address))
        response.raise_for_status()
        return response.content

    def cookie(self, name: str) -> str:
        """Return the value of a cookie; LostError when there is none."""
        value = self._client.cookies.get(name)
        if value is None:
            raise LostError(f"no cookie {name}")
        return value

    def _follow(self, request: httpx.Request) -> Page:
        trace_ids: list[str] = []
        for _ in range(_MAX_HOPS):
            response = self._client.send(request)
            trace_ids += [response.headers[_TRACE]] if _TRACE in response.headers else []
            if response.next_request is None:
                return Page(response, tuple(trace_ids))
            request = response.next_request
        raise LostError("too many redirects")
