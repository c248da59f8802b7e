"""Recognises bots by their user agent.

Most requests are decided by one rule: a browser starts its ``User-Agent`` with ``Mozilla/`` and
names its rendering engine. A few old or text browsers do neither and are listed as exceptions. Bots
that copy a browser's user agent are found by the words below and by the crawler-user-agents list.
"""

from __future__ import annotations

import re
from functools import cache

#: Browsers whose user agent does not start with ``Mozilla/``: Opera before 15, UC Browser on Java
#: phones, text browsers, small graphical ones, and the browsers that phones of the 2000s had.
_UNUSUAL_BROWSER = re.compile(
    r"(?:Opera/|UCWEB/|Lynx/|w3m/|E?Links ?[/(]|Dillo/|NetSurf/|Nokia|BlackBerry|SonyEricsson"
    r"|SAMSUNG-|SEC-|LG-|LGE-|MOT-|DoCoMo/|KDDI-|J-PHONE/|SoftBank/|Vodafone/|ZTE-|HUAWEI-)"
)

#: The rendering engines of all other browsers.
_ENGINE = re.compile(
    r"AppleWebKit/|Gecko/|Trident/|MSIE [1-9]|KHTML/|Presto/|Goanna/|Servo/|LibWeb/|NetFront/"
)

#: Words that only bots use, in any letter case. ``bot`` must end a word, but not the phone maker
#: CUBOT. No browser sends a web or e-mail address.
_PROGRAM = re.compile(
    r"(?<!cu)bots?(?![a-z])|crawl|spider|scrape|https?:/|mailto:|\w@\w+\.\w"
    r"|headless|phantomjs|slimerjs|puppeteer|playwright|selenium|cypress/|jsdom|htmlunit"
    r"|lighthouse|pagespeed|gtmetrix|webpagetest|ptst/|pingdom|uptime|statuscake|site24x7"
    r"|datadog|dynatrace|new ?relic|catchpoint|synthetic|monitor(?:ing)?/"
    r"|preview|prefetch|prerender|proxy(?:/|$)|validator|linkcheck|link checker|fetcher"
    r"|externalhit|safebrowsing|scanner|archiver|web ?services client|frontpage|wordpress/"
    r"|libwww|python|java/|okhttp|axios|node(?:\.js|-fetch|/)|curl/|wget/|httpclient|cfnetwork"
    r"|go-http-client|powershell|postman|insomnia|jmeter|gatling|k6/",
    re.IGNORECASE,
)

#: Browsers that the crawler list has as bots: Slack's desktop app ("Sonic").
_LISTED_BROWSER = re.compile(r"Slack_SSB/")


def is_program(user_agent: str) -> bool:
    """Whether this ``User-Agent`` is a bot's. A missing one is."""
    if not user_agent.startswith("Mozilla/"):
        return _UNUSUAL_BROWSER.match(user_agent) is None
    if _ENGINE.search(user_agent) is None or _PROGRAM.search(user_agent):
        return True
    if _LISTED_BROWSER.search(user_agent):
        return False
    texts, patterns = _crawlers()
    return any(text in user_agent for text in texts) or patterns.search(user_agent) is not None


#: A regular expression that matches one text only, with escaped punctuation.
_TEXT = re.compile(r"(?:[^\\.^$*+?{}\[\]|()]|\\[^\w\s])+")


@cache
def _crawlers() -> tuple[tuple[str, ...], re.Pattern[str]]:
    """The crawler-user-agents list: its plain texts, and the rest as one regular expression.

    Its own matcher compiles 1,500 expressions, which takes 20 ms of a process's first visit. All
    but 36 of them are plain texts.
    """
    # Imported here: loading the list takes longer than all of the above, which decides most
    # requests.
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # type: ignore[import-untyped]

    texts, patterns = [], []
    for each in CRAWLER_USER_AGENTS_DATA:
        pattern = each["pattern"]
        if _TEXT.fullmatch(pattern):
            texts.append(re.sub(r"\\(.)", r"\1", pattern))
        else:
            patterns.append(pattern)
    return tuple(texts), re.compile("|".join(patterns))
