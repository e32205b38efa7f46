"""
Kayenta's NetflixACAJudge-v1.0, as its source computes and its tests show; written anew, none of its code is here.

It decides nothing in this product: it runs beside the judge, so that whoever comes from Kayenta sees both verdicts.

Source: spinnaker/kayenta at commit a69573be, ``kayenta-judge`` and ``kayenta-mannwhitney``, ``docs/canary-config.md``.
"""
