"""Facts about the mail world that parsing needs: codes, hosts, blocklists, units.

Sources: the SMTP reply codes of RFC 5321 section 4.2 with the extensions that
servers really send, the IANA registry of enhanced status codes (RFC 5248), and the
operators' own host names.
"""

from __future__ import annotations

REPLY_CODES = frozenset(
    ["211", "214", "220", "221", "235", "250", "251", "252", "334", "354", "420", "421", "422", "430", "431", "432", "441", "442", "446", "447", "449", "450", "451", "452", "453", "454", "455", "458", "459", "471", "472", "500", "501", "502", "503", "504", "505", "510", "511", "512", "513", "515", "516", "517", "520", "521", "522", "523", "524", "525", "530", "531", "532", "533", "534", "535", "536", "537", "538", "540", "541", "542", "543", "544", "545", "546", "547", "548", "549", "550", "551", "552", "553", "554", "555", "556", "557", "558", "559", "560", "564", "569", "570", "571", "572", "573", "574", "575", "576", "577", "579", "580", "590", "591", "592", "593", "594", "595", "596", "597", "598", "599"]
)
"""Three-digit tokens that are read as an SMTP reply code."""

PROVIDER_HOSTS: dict[str, str] = {
    "google.com": "google", "googlemail.com": "google", "gmail.com": "google", "gsmtp.com": "google",
    "outlook.com": "microsoft", "hotmail.com": "microsoft", "live.com": "microsoft", "msn.com": "microsoft",
    "office365.com": "microsoft", "microsoft.com": "microsoft", "exchangelabs.com": "microsoft",
    "aka.ms": "microsoft", "office.com": "microsoft", "microsoftonline.com": "microsoft",
    "yahoo.com": "yahoo", "yahoodns.net": "yahoo", "yahooinc.com": "yahoo", "aol.com": "yahoo",
    "verizon.net": "yahoo", "yahoo.net": "yahoo", "yahoo.co.jp": "yahoo_japan",
    "icloud.com": "apple", "me.com": "apple", "mac.com": "apple", "apple.com": "apple",
    "pphosted.com": "proofpoint", "ppe-hosted.com": "proofpoint", "proofpoint.com": "proofpoint",
    "mimecast.com": "mimecast", "mimecast.co.za": "mimecast", "mimecastprotect.com": "mimecast",
    "barracudanetworks.com": "barracuda", "barracudacentral.org": "barracuda", "barracuda.com": "barracuda",
    "iphmx.com": "cisco", "ironport.com": "cisco", "cisco.com": "cisco", "senderbase.org": "cisco",
    "messagelabs.com": "symantec", "symantec.com": "symantec", "broadcom.com": "symantec",
    "trendmicro.com": "trendmicro", "trendmicro.eu": "trendmicro", "mail-abuse.org": "trendmicro",
    "sophos.com": "sophos", "hydra.sophos.com": "sophos", "fortimail.com": "fortinet", "fortinet.com": "fortinet",
    "spamexperts.com": "spamexperts", "antispamcloud.com": "spamexperts", "mtroute.com": "spamexperts",
    "mailspamprotection.com": "siteground", "hornetsecurity.com": "hornetsecurity",
    "antispameurope.com": "hornetsecurity", "retarus.com": "retarus", "vadesecure.com": "vade",
    "cloudflare.net": "cloudflare", "cloudflare.com": "cloudflare", "zoho.com": "zoho", "zoho.eu": "zoho",
    "messagingengine.com": "fastmail", "fastmail.com": "fastmail", "protonmail.ch": "proton", "proton.me": "proton",
    "gmx.net": "gmx", "gmx.de": "gmx", "gmx.com": "gmx", "web.de": "gmx", "mail.com": "gmx",
    "kundenserver.de": "ionos", "ionos.com": "ionos", "1and1.com": "ionos", "1und1.de": "ionos",
    "t-online.de": "t_online", "freenet.de": "freenet", "mailbox.org": "mailbox_org", "posteo.de": "posteo",
    "strato.de": "strato", "rzone.de": "strato", "orange.fr": "orange", "wanadoo.fr": "orange",
    "free.fr": "free", "sfr.fr": "sfr", "neuf.fr": "sfr", "laposte.net": "laposte", "ovh.net": "ovh", "ovh.com": "ovh",
    "gandi.net": "gandi", "infomaniak.ch": "infomaniak", "infomaniak.com": "infomaniak", "bluewin.ch": "bluewin",
    "comcast.net": "comcast", "xfinity.com": "comcast", "charter.net": "charter", "spectrum.net": "charter",
    "rr.com": "charter", "cox.net": "cox", "att.net": "att", "att.com": "att", "bellsouth.net": "att",
    "centurylink.net": "centurylink", "earthlink.net": "earthlink", "emailsrvr.com": "rackspace",
    "rackspace.com": "rackspace", "secureserver.net": "godaddy", "godaddy.com": "godaddy",
    "registrar-servers.com": "namecheap", "privateemail.com": "namecheap", "locaweb.com.br": "locaweb",
    "uol.com.br": "uol", "terra.com.br": "terra", "bol.com.br": "uol", "libero.it": "libero",
    "virgilio.it": "libero", "aruba.it": "aruba", "tiscali.it": "tiscali", "telenet.be": "telenet",
    "telenet-ops.be": "telenet", "ziggo.nl": "ziggo", "kpn.com": "kpn", "kpnmail.nl": "kpn", "xs4all.nl": "kpn",
    "telia.com": "telia", "one.com": "one_com", "seznam.cz": "seznam", "wp.pl": "wp", "o2.pl": "wp",
    "onet.pl": "onet", "interia.pl": "interia", "mail.ru": "mail_ru", "yandex.ru": "yandex", "yandex.net": "yandex",
    "yandex.com": "yandex", "rambler.ru": "rambler", "ukr.net": "ukr_net", "qq.com": "tencent",
    "exmail.qq.com": "tencent", "163.com": "netease", "126.com": "netease", "netease.com": "netease",
    "sina.com": "sina", "sina.com.cn": "sina", "sohu.com": "sohu", "aliyun.com": "alibaba",
    "mxhichina.com": "alibaba", "naver.com": "naver", "daum.net": "kakao", "kakao.com": "kakao",
    "hanmail.net": "kakao", "docomo.ne.jp": "docomo", "ezweb.ne.jp": "au", "au.com": "au",
    "softbank.ne.jp": "softbank", "softbank.jp": "softbank", "so-net.ne.jp": "so_net", "nifty.com": "nifty",
    "rediffmail.com": "rediff", "amazonses.com": "amazon_ses", "amazonaws.com": "amazon_ses",
    "sendgrid.net": "sendgrid", "sendgrid.com": "sendgrid", "mailgun.org": "mailgun", "mailgun.net": "mailgun",
    "mtasv.net": "postmark", "postmarkapp.com": "postmark", "sparkpostmail.com": "sparkpost",
    "mailjet.com": "mailjet", "brevo.com": "brevo", "sendinblue.com": "brevo",
}  # fmt: skip
"""Host suffix -> provider id, for hosts and URLs named in a diagnostic."""

PROVIDER_WORDS: dict[str, str] = {
    "gsmtp": "google", "mimecast": "mimecast", "barracuda": "barracuda", "proofpoint": "proofpoint",
    "ironport": "cisco", "senderbase": "cisco", "messagelabs": "symantec", "symantec": "symantec",
    "spamexperts": "spamexperts", "hornetsecurity": "hornetsecurity", "rspamd": "rspamd",
    "spamassassin": "spamassassin", "fortimail": "fortinet", "yahoo": "yahoo", "icloud": "apple",
    "outlook": "microsoft", "hotmail": "microsoft", "gmail": "google", "comcast": "comcast",
    "ofr": "orange", "nemesis": "gmx", "zoho": "zoho", "gmx": "gmx",
}  # fmt: skip
"""Words in the text that give the provider away when no host does."""

BLOCKLIST_HOSTS: dict[str, str] = {
    "spamhaus.org": "spamhaus", "spamhaus.net": "spamhaus", "spamhaus.com": "spamhaus", "abuseat.org": "spamhaus",
    "spamcop.net": "spamcop", "sorbs.net": "sorbs", "uceprotect.net": "uceprotect",
    "backscatterer.org": "uceprotect", "barracudacentral.org": "barracuda", "invaluement.com": "invaluement",
    "psbl.org": "psbl", "surriel.com": "psbl", "spamrats.com": "spamrats", "abusix.com": "abusix",
    "abusix.zone": "abusix", "surbl.org": "surbl", "uribl.com": "uribl", "mailspike.net": "mailspike",
    "mailspike.org": "mailspike", "spfbl.net": "spfbl", "0spam.org": "0spam", "nixspam.net": "nixspam",
    "ix.dnsbl.manitu.net": "nixspam", "manitu.net": "nixspam", "njabl.org": "njabl", "dsbl.org": "dsbl",
    "ordb.org": "ordb", "mail-abuse.org": "maps", "mail-abuse.com": "maps", "senderscore.com": "senderscore",
    "senderscore.org": "senderscore", "dnswl.org": "dnswl", "dronebl.org": "dronebl", "efnetrbl.org": "efnet",
    "wpbl.info": "wpbl", "gbudb.net": "gbudb", "lashback.com": "lashback", "hostkarma.com": "hostkarma",
    "junkemailfilter.com": "hostkarma", "s5h.net": "s5h", "blocklist.de": "blocklist_de", "inps.de": "inps",
    "cymru.com": "cymru", "truncate.gbudb.net": "gbudb", "swinog.ch": "swinog", "habeas.com": "senderscore",
    "cloudmark.com": "cloudmark", "kundenserver.de.bl": "ionos", "senderbase.org": "cisco",
    "rfc-ignorant.org": "rfc_ignorant", "rfc-clueless.org": "rfc_ignorant", "fabel.dk": "fabel",
    "trustedsource.org": "trellix", "tqmcube.com": "tqmcube", "interserver.net": "interserver",
    "anonmails.de": "anonmails", "woody.ch": "woody", "ascams.com": "ascams", "jmef.com": "hostkarma",
}  # fmt: skip
"""Host suffix -> blocklist id."""

BLOCKLIST_WORDS: dict[str, str] = {
    "spamhaus": "spamhaus", "spamcop": "spamcop", "sorbs": "sorbs", "uceprotect": "uceprotect",
    "invaluement": "invaluement", "psbl": "psbl", "spamrats": "spamrats", "abusix": "abusix",
    "surbl": "surbl", "uribl": "uribl", "mailspike": "mailspike", "njabl": "njabl", "brbl": "barracuda",
    "senderscore": "senderscore", "dronebl": "dronebl", "nixspam": "nixspam", "spfbl": "spfbl",
}  # fmt: skip
"""Words that name a blocklist outside of a host name."""

BULK_WORDS = frozenset(
    ["abuse", "auth", "authentication", "bl", "black", "blacklist", "blacklisted", "block", "blocked", "blocking", "blocklist", "bulk", "complaint", "delist", "delisting", "deny", "dkim", "dmarc", "dns", "dnsbl", "dul", "dynamic", "greylist", "greylisting", "grey", "helo", "ip", "ipblock", "limit", "list", "listing", "lookup", "mailbox", "mx", "nosuchuser", "overquota", "policy", "ptr", "quota", "rate", "ratelimit", "rbl", "rdns", "rejected", "removal", "remove", "reputation", "reverse", "rules", "smtp", "spam", "spamming", "spf", "tls", "unblock", "unlisting", "unsolicited", "user", "virus", "whitelist", "zen", "sbl", "xbl", "pbl", "css", "dbl", "cbl"]
)
"""Words of the field that are kept when they occur in a URL's host or path."""

TOP_LEVEL_DOMAINS = frozenset(
    ["com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "name", "mobi", "pro", "asia", "email", "online", "cloud", "site", "xyz", "top", "local", "lan", "localdomain", "internal", "invalid", "test", "example", "arpa", "tech", "app", "dev", "io", "shop", "club", "live", "world", "company", "network", "systems", "host", "solutions", "services", "support", "eu", "uk", "us", "ca", "au", "nz", "ie", "za", "in", "jp", "cn", "hk", "tw", "kr", "sg", "my", "th", "vn", "id", "ph", "pk", "bd", "lk", "np", "ir", "iq", "il", "ae", "sa", "qa", "kw", "tr", "gr", "cy", "ru", "ua", "by", "kz", "uz", "ge", "am", "az", "ee", "lv", "lt", "pl", "cz", "sk", "hu", "ro", "bg", "rs", "hr", "si", "ba", "mk", "al", "me", "de", "at", "ch", "li", "nl", "be", "lu", "fr", "mc", "es", "pt", "it", "sm", "va", "mt", "dk", "se", "no", "fi", "is", "br", "ar", "cl", "co", "mx", "pe", "ve", "ec", "uy", "py", "bo", "cr", "pa", "gt", "sv", "hn", "ni", "do", "cu", "pr", "ma", "dz", "tn", "eg", "ly", "ng", "gh", "ke", "tz", "ug", "zm", "zw", "mu", "re", "nc", "pf", "cc", "tv", "ws", "fm", "to", "ms", "zone"]
)
"""Last labels that make a dotted token a host name."""

UNITS = frozenset(
    ["b", "k", "kb", "kib", "m", "mb", "mib", "mbyte", "mbytes", "g", "gb", "gib", "byte", "bytes", "bit", "bits", "s", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "d", "day", "days", "ms", "msec", "st", "nd", "rd", "th", "x", "bitmime", "w", "week", "weeks"]
)
"""What may follow a number directly, as in ``10MB`` or ``300s``."""
