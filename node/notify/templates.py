"""How a messenger or SMS gateway wants a message: templates as data, the built-in ones and a site's own.

A template is TOML: zh, en, basis, url, body (JSON; `{text}`, `{subject}`, `{recipients}`, `{secret}`, `{timestamp}` and
`{sign}` in its texts are filled in), form (send the body's fields as a form), ok (field of the answer) and ok_value,
bytes_max (of the text), sign ("", "dingtalk" or "feishu").
"""

from __future__ import annotations

import hmac
import json
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from typing import Any, Final
from urllib.parse import quote, urlencode

from node.faults import Code, UserFault
from node.texts import N_

SIGNS: Final = ("", "dingtalk", "feishu")
TEMPLATE_BYTES_MAX: Final = 64 * 1024
_CUT: Final = "…"


@dataclass(frozen=True, slots=True)
class Template:
    """One way to say it over HTTP."""

    zh: str
    en: str
    basis: str
    body: Any
    url: str = ""
    form: bool = False
    ok: str = ""
    ok_value: Any = 0
    bytes_max: int = 16_384
    sign: str = ""


def read_template(name: str, text: str) -> Template:
    """Raises UserFault CONFIG_INVALID."""
    try:
        table = tomllib.loads(text)
        body = json.loads(table.pop("body"))
        made = Template(body=body, **table)
        if made.sign not in SIGNS or not isinstance(body, dict) or not 200 <= made.bytes_max <= 1_000_000:
            raise ValueError(name)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserFault(
            Code.CONFIG_INVALID,
            N_("'{name}' is no template of a message: {detail}"),
            N_("Take one of node/notify/templates as the pattern; body is JSON in a text."),
            name=name,
            detail=str(error)[:200],
        ) from error
    return made


@lru_cache
def built_in(name: str) -> Template:
    """A template of the program, one of node.notify.ways.BUILT_IN."""
    return read_template(name, (resources.files("node.notify") / "templates" / f"{name}.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Filled:
    """A request that is ready to go out."""

    url: str
    body: bytes
    content_type: str


def fill(
    template: Template, url: str, subject: str, text: str, recipients: str, secrets: Mapping[str, str], now_us: int
) -> Filled:
    """secrets: `secret`, part of the address or body; `sign`, the key of signatures, '' where none is used."""
    key = secrets.get("sign", "")
    stamp = str(now_us // 1_000) if template.sign == "dingtalk" else str(now_us // 1_000_000)
    sign = _signature(template.sign, key, stamp) if key else ""
    words = {
        "{subject}": subject,
        "{text}": cut(f"{subject}\n{text}", template.bytes_max),
        "{recipients}": recipients,
        "{secret}": secrets.get("secret", ""),
        "{timestamp}": stamp,
        "{sign}": sign,
    }
    address = (url or template.url).replace("{secret}", quote(words["{secret}"], safe=""))
    if sign and template.sign == "dingtalk":
        address += ("&" if "?" in address else "?") + urlencode({"timestamp": stamp, "sign": sign})
    said = _filled(template.body, words)
    if template.sign == "feishu" and sign:
        said = {"timestamp": stamp, "sign": sign, **said}
    if template.form:
        return Filled(address, urlencode(said).encode(), "application/x-www-form-urlencoded")
    return Filled(address, json.dumps(said, ensure_ascii=False).encode(), "application/json; charset=utf-8")


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """Each text of a JSON value with its places filled, once: what is put in is not looked at again."""
    if isinstance(value, dict):
        return {name: _filled(part, words) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, words) for part in value]
    if not isinstance(value, str):
        return value
    found, rest = "", value
    while rest:
        place = next((name for name in words if rest.startswith(name)), "")
        found += words[place] if place else rest[0]
        rest = rest[len(place) or 1 :]
    return found


def _signature(kind: str, key: str, stamp: str) -> str:
    """As the makers of the two messengers describe it."""
    if kind == "dingtalk":
        return b64encode(hmac.new(key.encode(), f"{stamp}\n{key}".encode(), sha256).digest()).decode()
    return b64encode(hmac.new(f"{stamp}\n{key}".encode(), b"", sha256).digest()).decode()


def cut(text: str, bytes_max: int) -> str:
    """The text, or as much of its beginning as fits."""
    data = text.encode()
    if len(data) <= bytes_max:
        return text
    return data[: bytes_max - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def is_taken(template: Template, answer: bytes) -> bool:
    """Whether the answer of a gateway (2xx) says that it took the message."""
    if not template.ok:
        return True
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get(template.ok) == template.ok_value
