"""Which region is whose home: mi-store@2025-05-20 and privacy-support@2024-12-16 name four."""

from runtime.fault import invalid
from services.account.domain import faults


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EEA = _codes(
    "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO"
)
_HOMES = dict.fromkeys(_EEA | {"GB", "CH"}, "nl") | {"IN": "in", "RU": "ru"}
_ELSEWHERE = "sg"

# ISO 3166-1 alpha-2, officially assigned.
COUNTRIES = _codes("""
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
""")


def country(text: str) -> str:
    """Check a country, ISO 3166-1 alpha-2."""
    if text not in COUNTRIES:
        raise invalid("country", "must be an ISO 3166-1 alpha-2 code, upper-case")
    return text


def home_region(of_country: str) -> str:
    """Return the region in which people of a country are at home."""
    return _HOMES.get(of_country, _ELSEWHERE)


def require_home_of_country(of_country: str, region: str) -> None:
    """Refuse people of another home with WRONG_REGION, naming where to go."""
    home = home_region(of_country)
    if home != region:
        raise faults.wrong_region(home)
