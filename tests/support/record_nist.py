"""Record the digits that fits of NIST's data sets give: python tests/support/record_nist.py.

A fit with tight tolerances ends where rounding ends it, and the digits beyond what the sum of
squares can tell are luck: another libm brings others. So besides the digits of the fit as it is,
the record holds the least of fits with nudged models, and it is that which a test may demand.
"""

from __future__ import annotations

import json

from nist_cases import DATASETS, RECORD, Case, Digits, cases, digits, nudge, solve

NUDGES = 400

ABOUT = (
    "Digits of agreement with NIST's certified values (0 to 11): [parameters, standard errors, "
    "residual sum of squares], each the worst of the data set. Keys: data set / start / "
    "tolerances / Jacobian. plain: the fit as it is. least: the least of it and of "
    f"{NUDGES} fits whose model values and derivatives are moved by about an ulp. "
    "Written by record_nist.py."
)


def least(case: Case, plain: Digits) -> Digits:
    """Return the least digits of the plain fit and of all nudged ones."""
    dataset = DATASETS[case.name]
    twins = (nudge(dataset, seed) for seed in range(1, NUDGES + 1))
    found = [plain, *(digits(solve(case, twin), twin) for twin in twins)]
    return Digits(*map(min, zip(*found, strict=True)))


def row(case: Case) -> str:
    """Measure one case and return its line of the record."""
    dataset = DATASETS[case.name]
    plain = digits(solve(case, dataset), dataset)
    entry = {
        "plain": [round(figure, 1) for figure in plain],
        "least": [round(figure, 1) for figure in least(case, plain)],
    }
    return f"  {json.dumps(case.key)}: {json.dumps(entry)}"


def main() -> None:
    """Write the record, a line a case so that a change reads as one."""
    rows = ",\n".join(row(case) for case in cases())
    RECORD.parent.mkdir(exist_ok=True)
    text = f'{{\n "about": {json.dumps(ABOUT)},\n "digits": {{\n{rows}\n }}\n}}\n'
    RECORD.write_text(text, encoding="utf-8")
    print(RECORD)


if __name__ == "__main__":
    main()
