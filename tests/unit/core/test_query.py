from __future__ import annotations

from cd_provider.core.query import QueryNames, fill


def test_names_and_window_are_filled_in() -> None:
    names = QueryNames("shop-candidate", "shop", "prod", ("shop-candidate-1", "shop-candidate-2"))

    text = fill(
        "a{s='$candidate',t='${stable}',n='$namespace',p=~'$pods',r=~'5..$$'}[$window]", names, window_s=90.7
    )

    assert (
        text
        == "a{s='shop-candidate',t='shop',n='prod',p=~'shop-candidate-1|shop-candidate-2',r=~'5..$'}[90s]"
    )
