"""Compute platform keys. A brand has one key, whichever part of a message names the brand.

A key has one of three forms:

- `sig:` and a name: the brand. It was named by a signature, an alphanumeric sender, the running
  text, the host of an origin-bound code, or a registered port or id.
- `from:` and a sender: a number, or a name that many platforms share.
- `id:` and an id: an id of the feed that the registry does not list.

A name gives no trust, because anybody can write a name in a signature, a sender or a text.
"""

from typing import Final

from detectors.recognise.platform.names import is_generic, is_stop, load_names, tells_nobody
from detectors.recognise.platform.registry import Registry, Sender
from detectors.recognise.text.fold import fold, name_key
from detectors.recognise.text.patterns import section

_SEEN: Final = section("keys")

BRAND: Final = "sig:"
"""Prefix of every brand's key. Gateways have always used this prefix for signatures. A gateway
without our code therefore computes the same key for a signed message."""

_SENDER: Final = "from:"
_ID: Final = "id:"

_SECOND_LEVEL: Final = frozenset(
    "ac biz co com edu go gob gouv gov gub gv mil ne net nic nom or org sch web".split()  # noqa: SIM905
)
"""Labels before a country's ending that are no brands, as in co.uk and com.br."""


def brand_key(registry: Registry, name: str) -> str:
    r"""Return the key of a brand, from a name of the brand as written in a text.

    The key uses the registry's name, else the first spelling in the list of names, else the name
    itself. A domain's ending and words such as "OTP" after the name are removed.

    >>> registry = Registry.load('[bank]\n"工商银行" = {aka = ["ICBC"]}')
    >>> [brand_key(registry, name) for name in ("【icbc】", "Velmora.com", "Velmora OTP")]
    ['sig:工商银行', 'sig:velmora', 'sig:velmora']
    """
    key = name_key(name)
    if found := find_key(registry, key):
        return found
    if not name.isalnum():
        folded = fold(name).strip()
        bare = _SEEN.purpose.sub("", folded)
        if _SEEN.site.fullmatch(bare):
            bare = _label(bare)
        if bare != folded and (other := name_key(bare)):
            return find_key(registry, other) or f"{BRAND}{other}"
    return f"{BRAND}{key}"


def find_key(registry: Registry, key: str) -> str | None:
    """Return the key of a name in the registry or the list of names, in any spelling, or None."""
    if known := registry.signatures.get(key):
        return f"{BRAND}{known.key}"
    first = load_names().names.get(key)
    if first is None:
        return None
    for spelling in (first, *load_names().spellings.get(first, ())):
        if known := registry.signatures.get(spelling):
            return f"{BRAND}{known.key}"
    return f"{BRAND}{first}"


def host_key(registry: Registry, host: str) -> str:
    """Return the key of a host's brand: the registered owner, else the registrable domain's name.

    >>> [host_key(Registry(), host) for host in ("login.velmora.co.uk", "velmora.web.app")]
    ['sig:velmora', 'sig:velmora']
    """
    if owner := registry.host(host):
        return f"{BRAND}{owner.key}"
    return brand_key(registry, _label(fold(host)))


def _label(host: str) -> str:
    labels = host.split(".")
    count = 2 if len(labels[-1]) == 2 and labels[-2:-1] and labels[-2] in _SECOND_LEVEL else 1
    if hosted := _SEEN.hosted.search(host):
        count = hosted[0].count(".")
    if len(labels) <= count:
        return host
    label = labels[-count - 1]
    if is_stop(label) or is_generic(label) or label in _SECOND_LEVEL:
        return "".join(labels[-count - 1 :])
    return label


def key_of_sender(registry: Registry, origin: Sender) -> str:
    """Return the key of a message whose platform is known only by its sender.

    A number keeps its `from:` key, and so does a sender that only looks like a number.
    """
    if origin.owners:
        return f"{BRAND}{origin.owners[0].key}"
    if tells_nobody(origin) or origin.key.isdigit() or not name_key(origin.name):
        return f"{_SENDER}{origin.key}"
    return brand_key(registry, origin.name)


def id_key(registry: Registry, platform: str) -> str:
    """Return the key of a platform id that a feed gives.

    The owner of a registered id gives the key. `streams/gateways/gate` reads texts with these
    rules, does not forward them, and sends the brand's key as the platform id. Such a key stays a
    brand's key, so the brand is one platform for all feeds. Any other id gets the prefix `id:`.
    """
    if owner := registry.ids.get(platform):
        return f"{BRAND}{owner.key}"
    kind, _, name = platform.partition(":")
    if name and kind in ("sig", "text", "host"):
        return current_key(registry, platform)
    return f"{_ID}{platform}"


def current_key(registry: Registry, written: str) -> str:
    r"""Convert a platform key as a person writes it to the key that the detector uses.

    Operators and files may use any name, port or host of a platform, and keys of version 1
    (`text:`, `host:`, `port:`, `from:` and a name). All of them give the brand's key.

    >>> registry = Registry.load('[bank]\n"工商银行" = {aka = ["ICBC"], ports = ["95588"]}')
    >>> written = "sig:ICBC", "port:95588", "from:Velmora", "from:1069"
    >>> [current_key(registry, key) for key in written]
    ['sig:工商银行', 'sig:工商银行', 'sig:velmora', 'from:1069']
    """
    kind, _, name = written.partition(":")
    if kind in ("sig", "text") and name_key(name):
        return brand_key(registry, name)
    if kind == "host":
        return host_key(registry, name)
    if kind in ("from", "port"):
        return key_of_sender(registry, registry.sender(name))
    return id_key(registry, name) if kind == "id" else written
