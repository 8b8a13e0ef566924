"""Planted secrets and personal data: made up, of every kind, in the sentences, code and JSON where they are met.

All of it is drawn from a seed. Numbers are valid where validity is looked at (Luhn, IBAN), hosts are reserved names or
addresses, keys open nothing.
"""

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

Random = random.Random


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted secret and the text it stands in."""

    kind: str
    secret: str
    text: str
    marks: tuple[str, ...]
    """What must be found nowhere afterwards, as it stands, escaped or in base64."""


def plants(seed: int = 7, each: int = 26) -> list[Plant]:
    """`each` plants of every kind, each in another carrier, each secret once."""
    drawn = Random(seed)
    found = []
    for kind, make in MAKERS.items():
        carriers = (*CARRIERS.get(kind, ()), *(() if kind in _ONLY else EVERYWHERE))
        for number in range(each):
            secret = make(drawn)
            found.append(Plant(kind, secret, carriers[number % len(carriers)](secret), _marks(kind, secret)))
    return found


def _marks(kind: str, secret: str) -> tuple[str, ...]:
    """The secret; of one in lines or groups also its parts, where a part tells enough."""
    if kind == "PRIVATE_KEY":
        return tuple(line for line in secret.splitlines() if "-----" not in line)
    return (secret,)


def _of(drawn: Random, signs: str, length: int) -> str:
    """So many signs, at least one of them a digit where there are digits among them."""
    text = [drawn.choice(signs) for _ in range(length)]
    if "5" in signs:
        text[drawn.randrange(length)] = drawn.choice(string.digits)
    return "".join(text)


ALNUM = string.ascii_letters + string.digits
KEY = ALNUM + "_-"
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
_FIRST = ("maria", "chen", "olu", "sven", "priya", "tomas", "aiko", "lena", "yusuf", "ingrid", "rafael", "noor")
_LAST = ("keller", "okafor", "lindqvist", "marchetti", "nakamura", "dubois", "haddad", "kowalski", "obrien", "santos")
_HOSTS = ("example.com", "example.org", "mail.example.net", "post.example", "corp.example.co.uk", "uni-beispiel.de")


def _email(drawn: Random) -> str:
    first, last = drawn.choice(_FIRST), drawn.choice(_LAST)
    local = drawn.choice((f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last}", f"{first}+{last}"))
    return f"{local}{drawn.randrange(10, 9999)}@{drawn.choice(_HOSTS)}"


def _phone(drawn: Random) -> str:
    area, office, line = drawn.randrange(201, 990), drawn.randrange(200, 1000), drawn.randrange(0, 10000)
    mobile = drawn.randrange(10**7, 10**8)
    return drawn.choice((
        f"({area}) {office}-{line:04}", f"{area}-{office}-{line:04}", f"+1 {area} {office} {line:04}",
        f"+1-{area}-{office}-{line:04}", f"{area}.{office}.{line:04}", f"+1{area}{office}{line:04}",
        f"+44 20 {drawn.randrange(7000, 8999)} {line:04}", f"+49 30 {mobile}", f"+33 6 {_pairs(mobile)}",
        f"+91 9{line:04} {drawn.randrange(10000, 100000)}",
        f"0{drawn.randrange(7100, 7999)} {drawn.randrange(10**5, 10**6)}",
        f"+81-3-{drawn.randrange(1000, 9999)}-{line:04}", f"0044 20 {drawn.randrange(7000, 8999)} {line:04}",
    ))


def _pairs(number: int) -> str:
    return " ".join(str(number)[at:at + 2] for at in range(0, 8, 2))


def _ip(drawn: Random) -> str:
    if drawn.random() < 0.6:
        last = ".".join(str(drawn.randrange(1, 255)) for _ in range(3))
        return f"{drawn.choice((198, 203, 192, 10, 172))}.{last}"
    groups = [f"{drawn.randrange(0x1000, 0x10000):x}" for _ in range(6)]
    return drawn.choice((f"2001:db8:{':'.join(groups)}", f"2001:db8::{groups[0]}:{groups[1]}",
                         f"fe80::{':'.join(groups[:4])}"))


def _iban(drawn: Random) -> str:
    country, shape = drawn.choice((("DE", "18d"), ("GB", "4a14d"), ("NL", "4a10d"), ("ES", "20d"), ("NO", "11d"),
                                   ("FR", "10d11x2d")))
    account, number = "", ""
    for sign in shape:
        if sign.isdigit():
            number += sign
            continue
        account += _of(drawn, {"d": string.digits, "a": string.ascii_uppercase, "x": UPPER}[sign], int(number))
        number = ""
    check = 98 - int("".join(str(int(sign, 36)) for sign in f"{account}{country}00")) % 97
    code = f"{country}{check:02}{account}"
    grouped = " ".join(code[at:at + 4] for at in range(0, len(code), 4))
    return drawn.choice((code, grouped, grouped, grouped.replace(" ", "-")))


def _card(drawn: Random) -> str:
    begin, length = drawn.choice((("4", 16), ("5" + drawn.choice("12345"), 16), ("37", 15), ("6011", 16), ("2221", 16)))
    digits = begin + _of(drawn, string.digits, length - 1 - len(begin))
    double = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::-2]) + sum(map(int, digits[-2::-2]))
    digits += str(-double % 10)
    if length == 15:
        return drawn.choice((digits, f"{digits[:4]} {digits[4:10]} {digits[10:]}"))
    join = drawn.choice(("", " ", "-"))
    return join.join(digits[at:at + 4] for at in range(0, 16, 4))


def _ssn(drawn: Random) -> str:
    area = drawn.choice([number for number in range(1, 900) if number != 666])
    return f"{area:03}-{drawn.randrange(1, 100):02}-{drawn.randrange(1, 10000):04}"


def _credentials(drawn: Random) -> str:
    return f"{drawn.choice(_FIRST)}{drawn.randrange(10, 99)}:{_of(drawn, ALNUM, 12)}"


def _jwt(drawn: Random) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": _of(drawn, ALNUM, 10), "iat": drawn.randrange(10**9)})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*coded, _of(drawn, KEY, 43)))


def _pem(drawn: Random) -> str:
    kind = drawn.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"))
    lines = [_of(drawn, ALNUM + "+/", 64) for _ in range(drawn.randrange(3, 9))]
    return "\n".join((f"-----BEGIN {kind}-----", *lines, _of(drawn, ALNUM, 30) + "==", f"-----END {kind}-----"))


MAKERS: dict[str, Callable[[Random], str]] = {
    "EMAIL": _email, "PHONE": _phone, "IP": _ip, "IBAN": _iban, "CARD": _card, "SSN": _ssn,
    "CREDENTIALS": _credentials, "JWT": _jwt, "PRIVATE_KEY": _pem,
    "AWS_KEY": lambda drawn: drawn.choice(("AKIA", "ASIA")) + _of(drawn, string.ascii_uppercase + "234567", 16),
    "SECRET": lambda drawn: _of(drawn, ALNUM + "+/", 40),
    "GITHUB_TOKEN": lambda drawn: drawn.choice((
        f"{drawn.choice(('ghp', 'gho', 'ghs', 'ghu'))}_{_of(drawn, ALNUM, 36)}",
        f"github_pat_{_of(drawn, ALNUM, 22)}_{_of(drawn, ALNUM, 59)}")),
    "SLACK_TOKEN": lambda drawn: drawn.choice((
        f"xoxb-{_of(drawn, string.digits, 12)}-{_of(drawn, string.digits, 12)}-{_of(drawn, ALNUM, 24)}",
        f"xoxp-{_of(drawn, string.digits, 12)}-{_of(drawn, HEX, 32)}",
        f"https://hooks.slack.com/services/T{_of(drawn, UPPER, 8)}/B{_of(drawn, UPPER, 8)}/{_of(drawn, ALNUM, 24)}")),
    "API_KEY": lambda drawn: drawn.choice((
        f"sk-{_of(drawn, ALNUM, 48)}", f"sk-proj-{_of(drawn, KEY, 48)}", f"sk-ant-api03-{_of(drawn, KEY, 80)}",
        f"sk-or-v1-{_of(drawn, HEX, 64)}", f"AIza{_of(drawn, KEY, 35)}", f"sk_live_{_of(drawn, ALNUM, 24)}")),
    "HUB_TOKEN": lambda drawn: f"hf_{_of(drawn, ALNUM, 34)}",
}

Carrier = Callable[[str], str]
EVERYWHERE: tuple[Carrier, ...] = (
    lambda x: f"Can you check why this is rejected? I sent {x} and got an error.",
    lambda x: f"{x}",
    lambda x: f"It was ({x}), I think.",
    lambda x: f"```python\nvalue = {json.dumps(x)}\nprint(value)\n```",
    lambda x: f'{{"user": {{"contact": {json.dumps(x)}, "active": true}}}}',
    lambda x: json.dumps({"arguments": json.dumps({"value": x})}),
    lambda x: f"Here is what I have:\n\n- one: {x}\n- two: nothing\n",
    lambda x: f"| name | value |\n|---|---|\n| mine | {x} |",
    lambda x: f"<input type='hidden' value='{x}'/>",
    lambda x: f"2026-03-02T10:11:12Z INFO request from={x} status=200",
    lambda x: f"Meine Angaben: „{x}“. Bitte prüfen Sie das – danke!",
    lambda x: f"first,second,third\n1,{x},3\n",
    lambda x: f"**{x}**",
    lambda x: f"export VALUE='{x}' && ./run.sh",
    lambda x: f"我的资料是 {x} ，请帮我看一下。",
    lambda x: json.dumps({"arguments": json.dumps({"note": f"„{x}“ – so"})}),
    lambda x: f"data:{x}",
    lambda x: f"https://example.com/form?next=1&value={quote(x, safe='')}&lang=en",
)
"""Places where anything may stand."""
CARRIERS: dict[str, tuple[Carrier, ...]] = {
    "EMAIL": (lambda x: f"Write to {x}.", lambda x: f"[mail me](mailto:{x})", lambda x: f"Name <{x}>, and others",
              lambda x: f"{x.replace('@', ' [at] ').replace('.', ' [dot] ')}", lambda x: x.replace("@", "\\u0040"),
              lambda x: f"address = '{x.split('@')[0]}' + '@{x.split('@')[1]}'"),
    "PHONE": (lambda x: f"Call me on {x} after six.", lambda x: f"tel:{x}", lambda x: f'{{"phone": "{x}"}}',
              lambda x: f"My number is {x}, text me!", lambda x: x.replace("-", "\u2011")),
    "IP": (lambda x: f"ssh root@{x}", lambda x: f"The server {x} is down", lambda x: f"allow {x}; deny all;"),
    "IBAN": (lambda x: f"Please transfer it to {x}, thank you.", lambda x: f"IBAN: {x}"),
    "CARD": (lambda x: f"My card {x} was charged twice.", lambda x: f"{x} exp 12/27 cvv 123"),
    "SSN": (lambda x: f"My SSN is {x}.", lambda x: f"ssn={x}", lambda x: f"SSN {x.replace('-', '')}",
            lambda x: f"social security number: {x.replace('-', ' ')}"),
    "CREDENTIALS": tuple(form.format for form in (
        "postgresql://{}@db.example.org:5432/app", "https://{}@db.example.org/repo.git", "mongodb+srv://{}@example.org",
        "redis://{}@example.org:6379/0", "ftp://{}@example.org/in", "amqp://{}@example.org/vhost",
        "mysql://{}@example.org/x?y=1", "http://{}@example.org/login", "DATABASE_URL='postgres://{}@db.internal/app'",
        "git clone https://{}@git.example.com/team/app.git", '{{"proxy": "http://{}@proxy.example.net:3128"}}',
        "engine = create_engine('mysql://{}@localhost/shop')")),
    "PRIVATE_KEY": (lambda x: json.dumps({"private_key": x}), lambda x: "key = (" + "\n".join(
        f"    '{line}\\n'" for line in x.splitlines()) + ")", lambda x: f"Here is my key:\n\n{x}\n\nWhat is wrong?",
        lambda x: "\n".join(f"> {line}" for line in x.splitlines()),
        lambda x: "\n".join(f"    {line}" for line in x.splitlines()), lambda x: x[:-30]),
    "JWT": (lambda x: f"curl -H 'Authorization: Bearer {x}' https://api.example.com",),
    "AWS_KEY": (lambda x: f"aws_access_key_id = {x}",
                lambda x: f'client("s3", aws_access_key_id="{x[:8]}" + "{x[8:]}")'),
    "SECRET": tuple(form.format for form in (
        "aws_secret_access_key = {}", 'AWS_SECRET_ACCESS_KEY="{}"', "secretAccessKey: '{}'", '{{"api_key": "{}"}}',
        "password: '{}'", "-H 'Authorization: Bearer {}'", 'client_secret = "{}"', "export DB_PASSWORD='{}'",
        'auth_token="{}"', "API-Key: {}", "my password is {}", 'headers = {{"X-Api-Key": "{}"}}',
        "os.environ['SECRET_KEY'] = '{}'")),
    "GITHUB_TOKEN": (lambda x: f"https://{x}@github.com/team/app.git", lambda x: f"GITHUB_TOKEN={x}",
                     lambda x: f"token: '{x[:12]}' +\n  '{x[12:]}'"),
    "SLACK_TOKEN": (lambda x: f"SLACK_BOT_TOKEN={x}", lambda x: f"slack = WebClient(token='{x}')"),
    "API_KEY": (lambda x: f"OpenAI(api_key='{x}')", lambda x: f"OPENAI_API_KEY={x}",
                lambda x: f'openai.api_key = "{x[:10]}" "{x[10:]}"'),
    "HUB_TOKEN": (lambda x: f"login(token='{x}')", lambda x: f"huggingface-cli login --token {x}",
                  lambda x: f"HF_TOKEN={x}"),
}
"""Places where things of one kind stand."""
_ONLY = ("CREDENTIALS", "SECRET")
"""Kinds that are known by their place alone: they stand nowhere else."""
