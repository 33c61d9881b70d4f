"""Who may have what moved: with which keys a request is read, and which checkouts it may act on.

Made once from a configuration. What is global costs a delivery nothing here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hmac import compare_digest
from secrets import token_hex

import msgspec

from gitreload import forges
from gitreload.addresses import Addresses
from gitreload.credentials import Secret
from gitreload.forges import sourcehut
from gitreload.model import Checkout, Delivery
from gitreload.settings import Settings
from gitreload.webhook_keys import strict_base64

# With more secrets than these the repository that a request claims decides which are tried.
MOST_TRIED = 8

# Whom a proof speaks for, besides directories, which are never named so.
GLOBAL = ""  # checkouts without secrets of their own
INSTANCE = "/sourcehut"  # checkouts that trust the key of a SourceHut instance


class Ring(msgspec.Struct, frozen=True):
    """The secrets that a request is tried with, and beside each whom it speaks for."""

    secrets: tuple[Secret, ...]
    speak_for: tuple[frozenset[str], ...]

    def read(self) -> tuple[bytes, ...]:
        return tuple([secret.read() for secret in self.secrets])


# What no secret is for is refused as what is signed with a wrong one: nobody who has none is told
# which repositories are here.
DECOY = Ring((Secret(token_hex(32)),), (frozenset(),))

NO_PASSWORD = (
    "no password",
    "user and password of BASIC_AUTH are missing: put them into the URL, https://USER:PASSWORD@…",
)


class Rules(msgspec.Struct, frozen=True):
    """By directory below REPODIR: which have secrets of their own, and which one forge only."""

    own: frozenset[str]
    forges: Mapping[str, str]


class Grant(msgspec.Struct, frozen=True):
    """What a genuine delivery may act on: it came from `forge`, and speaks for `holders`."""

    rules: Rules
    forge: str
    holders: frozenset[str]

    def refuses(self, checkout: Checkout) -> str | None:
        """Why this checkout is not to be touched; None where it may be."""
        names = {checkout.directory, *checkout.aliases}
        pinned = {self.rules.forges[name] for name in names & self.rules.forges.keys()}
        if pinned and self.forge not in pinned:
            expected = " or ".join(sorted(pinned))
            return f"{self.forge} sent it, and REPOS has FORGE {expected} for its repository"
        accepted = names & self.rules.own or {GLOBAL}
        if sourcehut.name in pinned:
            accepted.add(INSTANCE)
        if self.holders.isdisjoint(accepted):
            return "its secret is not one of its repository's"
        return None

    def allows(self, checkout: Checkout) -> bool:
        return self.refuses(checkout) is None


class Authority:
    """Answers for one configuration, for any thread.

    `bound`: not every genuine delivery may act on every checkout. `looks_first`: the keys depend on
    the repository that a request claims to be of. `configured`: there is something to prove.
    """

    def __init__(self, settings: Settings) -> None:
        own = {name: repo.secrets for name, repo in settings.repos.items() if repo.secrets}
        pins = {name: repo.forge for name, repo in settings.repos.items() if repo.forge}
        self._rules = Rules(frozenset(own), pins)
        self._ring, self._places = _ring({GLOBAL: settings.webhook_secrets, **own})
        self._public = _instances(settings) if sourcehut.name in pins.values() else ()
        self._unsigned = settings.allow_unsigned
        self.addresses = Addresses(settings.trusted_proxies, settings.allow_from)
        self.users = Users(settings.basic_auth)
        self._asks = bool(self.users)
        self.paths = forges.Paths(**settings.standard_paths.model_dump())
        # They differ only while a secret changes.
        self._keys = lru_cache(maxsize=8)(self._new_keys)
        self.configured = settings.authenticated
        self.bound = bool(own or pins)
        self.looks_first = bool(own) and len(self._ring.secrets) > MOST_TRIED

    def read(
        self,
        headers: forges.Headers,
        body: bytes,
        *,
        forge: str | None,
        local: bool,
        now: float,
        names: Iterable[str] | None = None,
    ) -> tuple[Delivery, Grant | None]:
        """What a request says, and what that may act on: None for every checkout.

        `forge` is the one that the address names. `local`: its peer is on this machine. `names` are
        those of the checkouts that it claims to be for, where `looks_first`. Raises Refusal.
        """
        basic = self._asks and self._has_password(headers, body, forge)
        ring = self._ring if names is None else self._ring_of(names)
        if self._asks and not (basic or self._ring.secrets or self._public):
            raise forges.refuse(headers, body, self.paths, *NO_PASSWORD, forge=forge)
        # What is unsigned counts only where there is nothing to prove.
        keys = self._keys(ring.read(), basic, local or self._unsigned)
        delivery = forges.read(headers, body, keys, forge=forge, now=now)
        return delivery, self._grant(delivery, ring, basic=basic) if self.bound else None

    def _new_keys(self, secrets: tuple[bytes, ...], basic: bool, unsigned: bool) -> forges.Keys:
        return forges.Keys(
            secrets, basic=basic, unsigned=unsigned, public=self._public, paths=self.paths
        )

    def _has_password(self, headers: forges.Headers, body: bytes, forge: str | None) -> bool:
        """Whether a right password came along. Raises Refusal where a wrong one did."""
        given = headers.get("authorization")
        if given is None or given[:6].lower() != "basic ":
            return False
        if self.users.know(given):
            return True
        raise forges.refuse(
            headers,
            body,
            self.paths,
            "wrong password",
            "the user and password (Authorization) are not in BASIC_AUTH: correct them in the"
            " hook's URL, https://USER:PASSWORD@…, or send none",
            forge=forge,
        )

    def _ring_of(self, names: Iterable[str]) -> Ring:
        """The global secrets, and those of the checkouts with these names."""
        holders = {GLOBAL, *names}
        places = sorted({place for name in holders for place in self._places.get(name, ())})
        if not places:
            return DECOY
        return Ring(
            tuple(self._ring.secrets[place] for place in places),
            tuple(self._ring.speak_for[place] for place in places),
        )

    def _grant(self, delivery: Delivery, ring: Ring, *, basic: bool) -> Grant:
        # A signature that came along says for whom, whoever's password came with it.
        holders = frozenset[str]().union(*(ring.speak_for[place] for place in delivery.proven_by))
        if not delivery.proven_by:
            by_instance = self.configured and not basic  # nothing else is left to have proven it
            holders = frozenset({INSTANCE if by_instance else GLOBAL})
        return Grant(self._rules, delivery.forge, holders)


class Users:
    """Those of BASIC_AUTH. False where there are none."""

    def __init__(self, passwords: Mapping[str, Secret]) -> None:
        self._passwords = {f"{user}:".encode(): secret for user, secret in passwords.items()}

    def __bool__(self) -> bool:
        return bool(self._passwords)

    def know(self, authorization: str) -> bool:
        """Whether the value of an `Authorization` field is a right Basic credential (RFC 7617).

        All are compared, in constant time.
        """
        scheme, _, encoded = authorization.partition(" ")
        given = strict_base64(encoded.strip(" "))
        right = [
            compare_digest(user + password.read(), given or b"")
            for user, password in self._passwords.items()
        ]
        return any(right) and scheme.lower() == "basic"


def _ring(holders: Mapping[str, Iterable[Secret]]) -> tuple[Ring, Mapping[str, list[int]]]:
    """Each secret once, and the places of those that each holder has."""
    speak_for: dict[Secret, set[str]] = {}
    for holder, secrets in holders.items():
        for secret in secrets:
            speak_for.setdefault(secret, set()).add(holder)
    places: dict[str, list[int]] = {}
    for place, names in enumerate(speak_for.values()):
        for name in names:
            places.setdefault(name, []).append(place)
    return Ring(tuple(speak_for), tuple(map(frozenset, speak_for.values()))), places


def _instances(settings: Settings) -> tuple[bytes, ...]:
    return tuple(map(base64.b64decode, settings.sourcehut_keys)) or (sourcehut.KEY,)
