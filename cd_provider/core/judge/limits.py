"""When the emergency lane trips: numbers alone, so that whoever only names them loads no lane."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmergencyLimits:
    """
    When it trips; all of it has to hold in the same window.

    :param windows_s: that are looked at, each ending now. :param share: of the candidate's requests that fail, at
        least: what fewer users meet has time for the other lanes.
    :param times: how much worse than stable it may be. :param chance: of what was seen, if it were no worse.
    :param without: the same for the candidate without any one of its pods: one bad host is not a bad version.
    :param without_alike: the same, where the rest's share of errors is at least ``alike`` times that of all pods.
    :param again: instead of ``chance``, for a second trip later than ``soon_s`` after the first: what comes back soon
        is the same; the longer it went well, the more often chance had its try.
    :param aside: chance that as many of both sides' errors fall to the candidate by its share of the requests.
    :param floor: errors per request that no service is taken to be better than, and that trip nobody.
    """

    windows_s: tuple[float, ...] = (3.0, 5.0, 8.0, 12.0, 16.0, 20.0, 25.0, 30.0, 37.0, 45.0, 60.0)
    share: float = 0.025
    times: float = 1.5
    chance: float = 3e-4
    again: float = 1e-5
    soon_s: float = 180.0
    without: float = 0.01
    without_alike: float = 0.1
    alike: float = 0.4
    aside: float = 0.003
    floor: float = 1e-4
