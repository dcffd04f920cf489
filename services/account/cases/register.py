"""Register an account for a proven identity, at home or not at all."""

from dataclasses import dataclass, field
from datetime import timedelta

from runtime.call import Way
from runtime.clock import Clock
from runtime.event import Event
from runtime.ids import new_account, opaque_id
from services.account.domain import account as accounts
from services.account.domain import faults, home
from services.account.domain.account import Account, State
from services.account.domain.link import Link
from services.account.domain.ports import Providers, Sharing, Store, Transaction, Vault
from services.account.domain.profile import Field, Value
from services.account.domain.registration import Registration
from services.account.domain.secret import digest
from services.account.domain.session import Session

TELL_WITHIN = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Form:
    """What the person filled in."""

    request_id: str
    country: str
    birth_date: str | None = field(repr=False)
    imports: frozenset[Field]
    accepted_notice: str
    language: str

    def content(self) -> str:
        """Return what the request says, for telling a repetition from another request."""
        fields = sorted(item.value for item in self.imports)
        parts = [self.country, self.birth_date or "", self.accepted_notice, self.language, *fields]
        return "\0".join(parts)


@dataclass(frozen=True, slots=True)
class Registered:
    """The person has an account and is signed in."""

    secret: str = field(repr=False)
    session: Session
    propagated: bool


@dataclass(frozen=True, slots=True)
class Register:
    """Refuses people of another region before anything of them is stored.

    Account, link, imports, session, events and the note for sharing are one transaction. The
    session's secret follows from the registration's, so a repeated request gets the same answer
    though no secret is kept.
    """

    store: Store
    providers: Providers
    vault: Vault
    sharing: Sharing
    clock: Clock
    region: str

    async def __call__(self, secret: str, form: Form, way: Way) -> Registered:
        """Return the session, and whether sharing knows the account already."""
        now = self.clock.now()
        registration = self.vault.open_registration(secret)
        home.require_home_of_country(home.country(form.country), self.region)
        registration.require_open(now)
        identity = registration.identity
        born = accounts.birth_date(form.birth_date, now.date())
        if form.accepted_notice != accounts.NOTICE:
            raise faults.notice_not_accepted(accounts.NOTICE)
        self.providers.get(identity.provider).provider.require_offered_in(form.country)
        account = Account(
            name=new_account(self.region),
            state=State.ACTIVE,
            country=form.country,
            birth_date=born,
            language=accounts.language(form.language),
            accepted_notice=form.accepted_notice,
            created=now,
            version=1,
        )
        session_secret = self.vault.derive("session", secret, form.request_id)
        scope = "register:" + registration.flow.hex()

        def register(tx: Transaction) -> tuple[Account, Session]:
            name = tx.once(
                scope,
                form.request_id,
                form.content(),
                now,
                lambda: self._create(
                    tx, account, registration, form, key=digest(session_secret), way=way
                ),
            )
            kept, session = tx.accounts.get(name), tx.sessions.get(digest(session_secret))
            if kept is None or session is None:
                raise faults.registration_used()
            return kept, session

        kept, session = await self.store.write(register)
        propagated = await self.sharing.tell(kept, TELL_WITHIN)
        if propagated:
            await self.store.write(lambda tx: tx.accounts.told(kept.name, kept.version))
        return Registered(session_secret, session, propagated)

    def _create(
        self,
        tx: Transaction,
        account: Account,
        registration: Registration,
        form: Form,
        *,
        key: bytes,
        way: Way,
    ) -> str:
        now, identity = account.created, registration.identity
        if not tx.flows.register(registration.flow, account.name):
            raise faults.registration_used()
        values = identity.chosen(form.imports)
        link = Link(
            account.name,
            opaque_id(),
            identity.provider,
            identity.issuer,
            identity.subject,
            linked=now,
        )
        tx.accounts.add(account)
        tx.links.add(link, identity, values, now)
        tx.sessions.add(Session(key, account.name, link.link_id, began=now, seen=now))
        events: list[tuple[str, str, dict[str, str]]] = [
            (
                "account:account:register",
                account.name,
                {
                    "country": account.country,
                    "notice": account.accepted_notice,
                    "language": account.language,
                    "birth_date": "given" if account.birth_date else "not given",
                },
            ),
            ("account:link:add", link.name, link_fields(link, values)),
            ("account:session:begin", link.name, {"provider": link.provider}),
        ]
        for action, resource, fields in events:
            tx.publish(
                Event(
                    action,
                    "ok",
                    now,
                    account=account.name,
                    actor=account.name,
                    resource=resource,
                    fields=fields,
                    app=way.app,
                    trace=way.trace,
                )
            )
        return account.name


def link_fields(link: Link, values: tuple[Value, ...]) -> dict[str, str]:
    """Return what the log says of a link: which fields were imported, never what they hold."""
    return {
        "provider": link.provider,
        "imports": ",".join(sorted(value.field.value for value in values)),
    }
