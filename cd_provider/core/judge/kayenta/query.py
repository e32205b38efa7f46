"""A metric's query in Prometheus, from Kayenta's templates to placeholders of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cd_provider.core.judge.kayenta.read import Reader

OURS = {"scope": "$candidate", "location": "$namespace"}
"""Kayenta asks twice, with the scope of each side; here ``$candidate`` is asked for, and ``$stable`` in its place."""

KNOWN = (
    "type", "serviceType", "metricName", "labelBindings", "groupByFields", "customFilter", "customInlineTemplate",
    "customFilterTemplate", "resourceType",
)  # fmt: skip
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def prometheus(query: Reader, templates: Mapping[str, str], bindings: Mapping[str, str]) -> str | None:
    """
    Give the query, with ``$candidate`` and ``$namespace`` where Kayenta puts scope and location.

    :param query: what the config says of it. :param templates: name → text, the config's own.
    :param bindings: variable → value, for what Kayenta is given as extended scope parameters; a value may be one of a
        gate's placeholders.
    :returns: None when it cannot be known from the config alone; a warning says why.

    Source: Kayenta, ``PrometheusMetricsService`` and ``QueryConfigUtils``.
    """
    for key in query.unknown(KNOWN):
        query.warn(key, "Kayenta does not know it for Prometheus; not taken over")
    chosen = _template(query, templates)
    if chosen is None:
        return None
    key, text = chosen
    missing = sorted(set(_VARIABLE.findall(text)) - {*OURS, *bindings})
    if missing:
        named = ", ".join(f"${{{one}}}" for one in missing)
        query.warn(key, f"{named} is not in the config; give it as a binding, or write the query anew")
        return None
    if not text.startswith("PromQL:"):
        text = _average(query, text)
    found = _filled(text.removeprefix("PromQL:"), bindings)
    if "$candidate" not in found:
        query.warn(
            key, "the query does not use ${scope}, so that it tells the sides apart by nothing; write it anew"
        )
        return None
    return found


def _template(query: Reader, templates: Mapping[str, str]) -> tuple[str, str] | None:
    """Give the key that names the text, and the text; the inline one goes first."""
    if query.text("customFilter"):
        query.fault("customFilter", "customInlineTemplate instead; Kayenta refuses it as well")
        return None
    inline, name = query.text("customInlineTemplate"), query.text("customFilterTemplate")
    if not inline and not name:
        query.warn(
            "metricName", "Kayenta adds the filter of a resource type when it runs; write the query anew"
        )
        return None
    if inline:
        return "customInlineTemplate", inline.replace("$\\{", "${")
    if name not in templates:
        query.fault(
            "customFilterTemplate",
            f"one of the templates ({', '.join(sorted(templates)) or 'there are none'})",
        )
        return None
    return "customFilterTemplate", templates[name].replace("$\\{", "${")


def _average(query: Reader, labels: str) -> str:
    """Build what Kayenta builds of a metric's name and a filter."""
    if query.texts("groupByFields"):
        query.warn(
            "groupByFields", "Kayenta judges each group by itself; the query is the mean over all of them"
        )
    return f"avg({query.needed('metricName')}{{{','.join((labels, *query.texts('labelBindings')))}}})"


def _filled(text: str, bindings: Mapping[str, str]) -> str:
    """Put in what is known; any other dollar sign is PromQL's own, and written twice."""
    found, end = [], 0
    for match in _VARIABLE.finditer(text):
        name = match[1]
        found += [text[end : match.start()].replace("$", "$$"), bindings.get(name) or OURS[name]]
        end = match.end()
    return "".join([*found, text[end:].replace("$", "$$")])
