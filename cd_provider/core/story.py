"""A delivery in words: the one message that is edited from plan to outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cd_provider.core.image import ImageRef
from cd_provider.core.message import Outcome, ReleaseMessage
from cd_provider.core.release import Release, Target
from cd_provider.core.traffic import Step
from cd_provider.exceptions import ImageReferenceError

NEXT_STEP = {
    Outcome.PROMOTED: "Nothing to do.",
    Outcome.ABORTED: "Mend the cause and deliver a new image; the stable pods were not restarted.",
    Outcome.INCONCLUSIVE: "Look why there was no answer, then clear the failed task to try the same image again; "
    "a person may take on what cannot be judged: trigger it with an override.",
    Outcome.ASKING: "To let it go on, open the canary's task in Airflow, Storage, XCom, Add XCom: the key override "
    'with the value {"by": "your name", "reason": "why"}. To end it, mark that task failed. Meanwhile it is watched '
    "as ever.",
    Outcome.REFUSED: "Mend what is named and trigger again; nothing was touched.",
}


def tell(
    release: Release,
    target: Target,
    *,
    outcome: Outcome,
    line: str,
    weight: int | None = None,
    more: Mapping[str, str] | None = None,
    next_step: str | None = None,
) -> ReleaseMessage:
    """
    Put together what people are told.

    :param line: the one sentence that matters now, numbers first.
    :param more: facts beside the standing ones (who, where, which image).
    """
    facts = {"Image": short_image(release), "To": str(target.ref), "Asked by": release.asked_by or "schedule"}
    if release.source_commit:
        facts["Commit"] = release.source_commit[:12]
    return ReleaseMessage(
        app=release.app,
        image=release.image,
        outcome=outcome,
        line=line,
        facts={**facts, **(more or {})},
        weight=weight,
        next_step=next_step or NEXT_STEP.get(outcome),
        url=release.url,
    )


def planned(
    release: Release,
    target: Target,
    *,
    container: str,
    service: str,
    steps: Sequence[Step],
    gates: int,
    window: str | None,
) -> str:
    """
    Say in one line what a plan without faults found.

    :param service: stable's. :param gates: how many. :param window: how the release window stands; None: there is none.
    """
    shares = ", ".join(f"{step.weight} % for {step.for_s:g} s" for step in steps)
    return "; ".join(
        (
            f"{short_image(release)} for container {container} of {target.ref}",
            f"route {target.router['route']} splits Service {service}: {shares}",
            f"{gates} gate(s)" if gates else "no gate, pod health only",
            f"window: {window}" if window else "no window",
        )
    )


def short_image(release: Release) -> str:
    """Give the image as people recognise it, ``shop:v2 (sha256:55ce613b…)``; the tag is the one it was found under."""
    try:
        ref = ImageRef.parse(release.image)
    except ImageReferenceError:
        return release.image
    if ref.digest is None:
        return str(ref)
    tag = f":{release.tag}" if release.tag else ""
    return f"{ref.path}{tag} ({ref.short_digest})"
