"""Keys and tokens that say by their beginning who gave them out."""

import re
from collections.abc import Iterator

from privacy.finding import Finding

_RUN = r"[A-Za-z0-9_-]"
_GIVEN_OUT = {
    "AWS_KEY": r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{16}",
    "GITHUB_TOKEN": r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{22,255}",
    "SLACK_TOKEN": r"xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}"
                   r"|hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{16,}",
    "HUB_TOKEN": r"hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{20,}",
    "PRIVATE_KEY": r"(?:MII[A-Za-z0-9+/]{2,6}IBA(?:AKC|DANBgkqhkiG9w0BAQEFAASC)|b3BlbnNzaC1rZXktdjE)"
                   r"[A-Za-z0-9+/=\s]{20,}",
    "SECRET": r"\$(?:apr1|1|2[aby]|5|6|y|argon2i?d?)\$[^\s:\"'`]{20,200}"
              r"|discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]{30,}"
              r"|webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{40,}",
    "API_KEY": "|".join((
        rf"sk-{_RUN}{{16,}}", rf"(?:sk|rk|pk)_(?:live|test|prod)_{_RUN}{{14,}}", r"whsec_[A-Za-z0-9+/=]{20,}",
        rf"AIza{_RUN}{{30,}}", rf"GOCSPX-{_RUN}{{20,}}", rf"ya29\.{_RUN}{{20,}}", rf"glpat-{_RUN}{{20,}}",
        rf"gl(?:dt|ft|rt|soat|cbt|ptt)-{_RUN}{{20,}}",
        rf"SG\.{_RUN}{{16,}}\.{_RUN}{{16,}}", r"(?:AC|SK)[0-9a-f]{32}", r"npm_[A-Za-z0-9]{30,}",
        rf"pypi-{_RUN}{{40,}}", r"dop_v1_[a-f0-9]{40,}", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
        r"key-[0-9a-f]{32}", r"dapi[0-9a-f]{32}", r"r8_[A-Za-z0-9]{30,}", r"gsk_[A-Za-z0-9]{30,}",
        r"xai-[A-Za-z0-9]{40,}", r"pplx-[A-Za-z0-9]{30,}", rf"hv[sbr]\.{_RUN}{{20,}}", r"lin_api_[A-Za-z0-9]{30,}",
        rf"ntn_{_RUN}{{30,}}", rf"dckr_pat_{_RUN}{{20,}}", rf"gl(?:sa|c)_{_RUN}{{20,}}", r"NRAK-[A-Z0-9]{20,}",
        rf"figd_{_RUN}{{20,}}", rf"tskey-{_RUN}{{16,}}", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}", rf"EAAC{_RUN}{{40,}}",
        r"[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}", rf"[MNO]{_RUN}{{23,25}}\.{_RUN}{{6}}\.{_RUN}{{27,}}",
        r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}", rf"sq0(?:atp|csp)-{_RUN}{{20,}}", rf"atlasv1\.{_RUN}{{40,}}",
    )),
}
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(
    f"(?P<{kind}>{shape})" for kind, shape in _GIVEN_OUT.items()) + ")")
_WEB_TOKEN = re.compile(rf"(?<![A-Za-z0-9_-])eyJ{_RUN}{{6,}}\.\s?eyJ{_RUN}{{6,}}(?:\.\s?{_RUN}*)?")
_DIGIT, _LOWER, _UPPER = re.compile(r"[0-9]"), re.compile(r"[a-z]"), re.compile(r"[A-Z]")
_FEWEST_SIGNS = 7
"""How many different signs a token without a digit has at least; ghp_xxxx stands for one."""
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")


def tokens(text: str, start: int, end: int) -> Iterator[Finding]:
    """Tokens of AWS, GitHub, Slack, the Hub, OpenAI and thirty others."""
    for match in _TOKEN.finditer(text, start, end):
        if match.lastgroup == "AWS_KEY" or _DIGIT.search(match[0]) or _drawn(match[0]):
            yield Finding(str(match.lastgroup), *match.span())


def _drawn(token: str) -> bool:
    """Whether a token without a digit is one; sk-some-words is a name."""
    if len(set(token)) < _FEWEST_SIGNS:
        return False
    return not token.startswith(("sk-", "key-")) or (
        "-" not in token[3:] and _LOWER.search(token) is not None and _UPPER.search(token[3:]) is not None)


def aws_secrets(text: str) -> Iterator[Finding]:
    """Forty signs of base64 in a text that speaks of AWS: they have no beginning of their own."""
    for match in _AWS_SECRET.finditer(text):
        if all(sign.search(match[0]) for sign in (_DIGIT, _LOWER, _UPPER)):
            yield Finding("AWS_KEY", *match.span())


def web_tokens(text: str) -> Iterator[Finding]:
    """JSON web tokens: two parts that begin a JSON object in base64, and a signature (RFC 7519)."""
    for match in _WEB_TOKEN.finditer(text):
        yield Finding("JWT", *match.span())
