"""Secrets and personal data as people hide, break, encode and spell them: what is found of them, and what is not."""

import base64
import json
from urllib.parse import quote

MAIL, CARD, IBAN = "maria.keller77@example.com", "4111111111111111", "DE89370400440532013000"
TOKEN, KEY = "ghp_Zk3Lr9Qw2Xc7Vb5Nm1As8Df4Gh6Jk0Pq2Rt", "sk-proj-Zk3Lr9Qw2Xc7Vb5Nm1As8Df4Gh6Jk0Pq2RtYy8"
BODY = "MIIEpAIBAAKCAQEA7Zk3Lr9Qw2Xc7Vb5Nm1As8Df4Gh6Jk0Pq2RtMIIEpAIBAAKC"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}\n-----END RSA PRIVATE KEY-----"
HEX, MIXED = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "zk3lr9qw2xc7vb5nm1as8df4gh6jk0pq"


def _wide(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def _bold(text: str) -> str:
    return "".join(chr(0x1D41A + ord(sign) - 97) if "a" <= sign <= "z" else chr(0x1D7CE + int(sign))
                   if sign.isdecimal() else sign for sign in text)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_CYRILLIC = str.maketrans("aeocpx", "аеосрх")
_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_E, _T, _P, _S = "EMAIL", "GITHUB_TOKEN", "PRIVATE_KEY", "SECRET"
FOUND: dict[str, tuple[tuple[str, str, str], ...]] = {
    "look-alikes": (
        (_E, "§", _wide(MAIL)), (_E, "§", MAIL.translate(_CYRILLIC)), (_E, "§", _bold(MAIL)),
        (_E, "§", MAIL.replace("@", "﹫")), (_E, "§", MAIL.replace(".", "․")), (_E, "§", MAIL.replace(".com", "。com")),
        (_T, "§", _wide(TOKEN)), (_T, "§", TOKEN.translate(_CYRILLIC)), ("CARD", "§", CARD.translate(_DIGITS)),
        ("CARD", "§", _wide(CARD)), ("PHONE", "call §", "0151 2345 67890".translate(_DIGITS)),
        ("PHONE", "§", "+९१ ९८७६५ ४३२१०"), ("IP", "§", "¹⁹⁸.⁵¹.¹⁰⁰.⁷"), ("SSN", "§", "123‑45‑6789"),
        ("CARD", "§", "4111–1111–1111–1111")),
    "signs nobody sees": (
        (_E, "§", "\u200b".join(MAIL)), (_T, "§", "\u2060".join(TOKEN)), ("CARD", "§", "\u200c".join(CARD)),
        ("IBAN", "§", "\u200b".join(IBAN)), (_E, "§", MAIL.replace("k", "k\u00ad")), (_E, "§", MAIL.replace("k",
        "k\ufe0f")),
        (_E, "§", MAIL.replace("@", "\u200f@")), (_E, "\u202e§\u202c", MAIL), (_T, "§",
        f"{TOKEN[:9]}\u034f{TOKEN[9:]}"),
        (_T, "§", f"{TOKEN[:9]}\U000e0061{TOKEN[9:]}"), (_T, "§", f"{TOKEN[:9]}\u3164{TOKEN[9:]}")),
    "percent-encoding": (
        (_E, "§", MAIL.replace("@", "%40")), (_E, "§", MAIL.replace("@", "%252540")),
        (_E, "<§>", "".join(f"%{ord(sign):02x}" for sign in MAIL)), (_T, "§", TOKEN.replace("_", "%5F")),
        (_T, "%E2%80%9E§%E2%80%9C", TOKEN), ("CREDENTIALS", "https%3A%2F%2F§%2Fx",
        "maria%3AhunterX22%40db.example.org"),
        (_P, "?k=§", quote(PEM).replace("%20", "+"))),
    "escapes": (
        *((_E, "§", MAIL.replace("@", sign)) for sign in (
            "\\u0040", "\\x40", "\\100", "\\u{40}", "\\U00000040", "\\\\\\\\u0040", "&#64;", "&#064;", "&#x40;",
            "&commat;",
            "&amp;#64;", "&#64")),
        (_E, "§", "".join(f"&#{ord(sign)};" for sign in MAIL)), (_E, "§", MAIL.replace(".", "\\.")),
        (_E, "§", MAIL.replace(".", "&period;")), (_T, "§", TOKEN.replace("_", "\\_")), (_T, "**§**", TOKEN)),
    "base64": (
        (_T, "§", _coded(TOKEN)), (_E, "see § there", _coded(f"contact: {MAIL}")), ("API_KEY", "§",
        _coded(json.dumps({"a": KEY}))),
        (_P, "§", _coded(PEM)), (_S, "Authorization: Basic §", _coded("maria:hunter2222")),
        (_T, "§", base64.urlsafe_b64encode(f"{TOKEN}??>>{MAIL}".encode()).decode())),
    "PEM": (
        (_P, "§", f"-----BEGIN RSA PRIVATE KEY-----\n{BODY[:20]}\n{BODY[20:40]}\n-----END RSA PRIVATE KEY-----"),
        (_P, "§", PEM.replace("\n", " ")), (_P, "§", PEM[:-30]), (_P, "§", f"{BODY}\n{BODY}"), (_P, "§", PEM.lower()),
        (_P, "Key: 2\n§", f"Private-Lines: 2\n{BODY}\n"), ("JWT", "§",
        "eyJhbGciOiJIUzI1NiJ9.\neyJzdWIiOiJ9.\n7s4p8L0KJFlK6")),
    "spelled addresses": (
        *((_E, "§", f"maria.keller{at}example{dot}com") for at, dot in (
            (" [at] ", " [dot] "), ("(at)", "."), ("{at}", "{dot}"), ("<at>", "<dot>"), (" at ", " dot "), (" @ ",
            " . "))),
        *((_E, "§", f"maria@example{dot}com") for dot in ("[dot]", " (dot) ", "<dot>", "(.)", "[.]")),
        (_E, "my mail: §", "maria at example dot com"), (_E, "§", "maria.k at gmail.com"),
        (_E, "[x](mailto:§?subject=hi)", MAIL), (_E, "§", f"{MAIL}.json"), (_E, "§", "maria@bücher.example")),
    "telephones": tuple(("PHONE", "§", number) for number in (
        "(415) 555-2671", "415.555.2671", "+1 415 555 2671", "07700 900123", "020 7946 0958", "+44 (0)20 7946 0958",
        "0151 23456789", "030 901820", "089/12345678", "+49 (0) 89 1234-5678", "06 12 34 56 78", "+33 (0)6 12 34 56 78",
        "+39 06 698 12345", "347 123 4567", "+34 612 345 678", "98765 43210", "+91-98765-43210", "09876543210",
        "(11) 91234-5678", "+55 11 91234-5678", "138 0013 8000", "+86 138 0013 8000", "090-1234-5678",
        "8 (916) 123-45-67",
        "+7 916 123-45-67", "0412 345 678", "(02) 9876 5432", "06-12345678", "070-123 45 67", "079 123 45 67",
        "0532 123 45 67", "010-1234-5678")),
    "accounts": (
        *(("IBAN", "§", f"DE89{gap}3704{gap}0044{gap}0532{gap}0130{gap}00") for gap in (" ", "-", ".", "\u00a0", "\n")),
        ("IBAN", "§", IBAN.lower()), ("IBAN", "§", "DE8937 040044 0532013000"),
        *(("CARD", "§", f"4111{gap}1111{gap}1111{gap}1111") for gap in (" ", "-", ".", "  ", "/", "_")),
        ("CARD", "§", "41111111 11111111"), ("CARD", "§", "3782-822463-10005"), ("SSN", "SSN §", "123 45 6789")),
    "keys in code": (
        ("API_KEY", "```\nAPI=§\n```", KEY), ("API_KEY", "OPENAI_API_KEY=§", KEY), ("API_KEY", "const k = `§`;", KEY),
        ("API_KEY", "'§'", f"{KEY[:15]}' + '{KEY[15:]}"), (_T, "`§`", f"{TOKEN[:20]}`` {TOKEN[20:]}".replace("` ",
        "`")),
        (_T, "§", f"{TOKEN[:20]}\\\n{TOKEN[20:]}"), (_S, "password = '§'", "hunter22!x"), (_S,
        "<password>§</password>", "Sommer2024!x"),
        (_S, "tool --password §", "Sommer2024x!"), (_S, "User Id=sa;Password=§;", "Sommer2024!"),
        (_S, "IDENTIFIED BY '§'", "Sommer2024!"), (_S, "login maria password §", "Sommer2024"), (_S, "x-api-key: §",
        MIXED[:20]),
        (_S, "maria:§", "$apr1$Zk3Lr9Qw$2Xc7Vb5Nm1As8Df4Gh6Jk/"), (_S, "Authorization: Token §", MIXED)),
    "passwords told": tuple((_S, f"{words} §", "Sommer2024!") for words in (
        "the password is", "Mein Passwort ist", "mi contraseña es", "mon mot de passe est", "mijn wachtwoord:",
        "Kennwort:")),
    "URLs": (
        (_T, "[x](https://a.example/?token=§)", TOKEN), ("CREDENTIALS", "postgres://§@db/x", "maria:S3cret"),
        ("CREDENTIALS", "postgres://§@db/x", "maria:S3cr%40t"), (_S, "https://b.example/x.png?X-Amz-Signature=§", HEX),
        (_S, "https://b.example/x.png?sv=2022&sig=§", "Zk3Lr9Qw2Xc7Vb5Nm1As8Df4%3D"),
        (_S, "https://d.example/x.png?Expires=1&Signature=§&Key-Pair-Id=A", "Zk3Lr9Qw2Xc7Vb5Nm1As8Df4~"),
        (_S, "https://x.example/?sessionid=§", MIXED), (_S, "https://x.example/cb?code=§", f"4/{MIXED}"),
        (_S, "https://§", f"discord.com/api/webhooks/123456789012345678/{MIXED}"), (_S,
        "Cookie: session=§; theme=dark", MIXED)),
    "addresses of machines": (
        ("IP", "§:8080", "198.51.100.7"), ("IP", "§", "198[.]51[.]100[.]7"), ("IP", "§/24", "198.51.100.0"),
        ("IP", "[§]", "2001:db8::1"), ("IP", "§", "2001:db8:85a3::8a2e:370:7334")),
}
"""By disguise: the kind, what stands around the secret (at §), and the secret as it is disguised."""
MISSED = (
    MAIL.replace("@", "=40"), MAIL.replace("@", "<b>@</b>"), " ".join(MAIL), "maria (ät) example punkt de",
    TOKEN.encode().hex(),
    TOKEN[::-1], f"{TOKEN[:18]}\n{TOKEN[18:]}", f"'{KEY[:15]}', '{KEY[15:]}'", json.dumps(list(TOKEN)), "612 345 678",
    "13800138000",
    "1-800-FLOWERS", "four one five, five five five", " ".join(CARD), "4111 11XX XXXX 1111", "123456789",
    "my PIN is 4711",
    f"https://x.example/reset/{MIXED}", "198 dot 51 dot 100 dot 7", "http://3325256711/", "00:1B:44:11:3A:B7",
    "DE89_3704_0044_0532_0130_00", "mysql -u root -pSommer2024x",
)
"""What is not found, as docs/privacy.md says: whoever finds one of these strikes it there and here."""
