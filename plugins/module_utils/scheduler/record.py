# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A decision as it is kept with its VM: the same as its mapping, with hosts that would do in columns.

A hundred hosts with the parts of their scores are a thousand small mappings. In columns they cost a tenth of the time
and a quarter of the room, and nearly all of them are kept to be read by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def unpack(record: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping of a decision (``Decision.to_mapping``) that was kept.

    One that was kept before there were columns is its mapping already.
    """
    accepted = record.get("accepted")
    return {**record, "accepted": _candidates(accepted)} if isinstance(accepted, Mapping) else dict(record)


def _candidates(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    scorers = list(zip(columns["scorers"], columns["weights"], strict=True))
    by_host = zip(*columns["values"], strict=True) if scorers else ((),) * len(columns["hosts"])
    return [
        {
            "host": host,
            "score": score,
            "parts": [
                {"scorer": scorer, "value": value, "weight": weight}
                for (scorer, weight), value in zip(scorers, values, strict=True)
            ],
        }
        for host, score, values in zip(columns["hosts"], columns["scores"], by_host, strict=True)
    ]
