"""The rules of the specification that no test names, each with the reason.

A rule that gets a test goes into the manifest beside this and out of this list.
"""

from typing import Final

_NUMBERED: Final = {
    "A": 15,
    "C": 26,
    "F": 21,
    "FIX-": 74,
    "G": 24,
    "G-": 26,
    "H": 34,
    "L": 72,
    "M": 35,
    "P": 44,
    "R": 13,
    "S": 65,
    "T": 22,
    "TR": 21,
    "X": 56,
}
"""How far the numbers of each kind of rule go; `G-` are the guarantees, `G` the groups of agents."""

_BESIDE: Final = {"FIX-4": ("b",), "L23": ("b",), "R2": ("b",)}
_PARTED: Final = {"S37": tuple("abcdefgh"), "S38": tuple("abcd"), "S39": tuple("abcd")}
"""Numbers that have parts beside the rule, and such that have parts in its place."""

ALL: Final = tuple(
    name
    for kind, last in _NUMBERED.items()
    for number in range(1, last + 1)
    for rule in [f"{kind}{number}"]
    for name in (
        [f"{rule}{part}" for part in _PARTED[rule]]
        if rule in _PARTED
        else [rule, *(f"{rule}{part}" for part in _BESIDE.get(rule, ()))]
    )
)
"""The id of every rule."""

UNTESTED: Final = {
    "A3": "no test of its own: the tools of each type are compared as a whole.",
    "A8": "not built: any number of first calls is taken for any model.",
    "C2": "held by FIX-44.",
    "C7": "tells of older servers.",
    "C24": "tells of older servers.",
    "FIX-8": "held by G-2.",
    "FIX-38": "no test of its own: the number is in the schema of the tool.",
    "FIX-41": "held by M25.",
    "G6": "done better: members get lines with names, and no persona is rewritten.",
    "G11": "held by FIX-63.",
    "G20": "held by C6: it compacts like any agent.",
    "G21": "held by FIX-63.",
    "G22": "tells of what the API does not do either.",
    "H31": "held by G-11 and FIX-23.",
    "H32": "held by FIX-24.",
    "H33": "held by G-11.",
    "L4": "held by G-5.",
    "L7": "held by api-8.4: a text is stored as it was sent.",
    "L15": "not built: memory kept in git.",
    "L19": "held by FIX-4.",
    "L23b": "done better: FIX-4b.",
    "L25": "held by FIX-5.",
    "L29": "held by H12.",
    "L30": "held by G-11.",
    "L31": "held by streaming-5.1 and streaming-5.4.",
    "L41": "held by X12 and S48.",
    "L43": "held by G-2.",
    "L46": "held by C6.",
    "L51": "hosted service only: credits.",
    "L62": "done better: one compaction serves both loops, as C6 holds.",
    "L63": "held by streaming-2.1 and streaming-2.15.",
    "L64": "held by streaming-2.14.",
    "L65": "done better: every provider streams tokens, as streaming-2.7 holds.",
    "L66": "held by streaming-2.5.",
    "L67": "held by streaming-2.15 and streaming-9.2.",
    "L68": "held by streaming-9.3.",
    "L69": "held by G-11.",
    "L71": "held by G-7.",
    "M2": "held by the rules of attaching blocks in the API.",
    "M13": "no test of its own: the checks are those of the other memory tools.",
    "M17": "tells of older servers.",
    "M29": "held by FIX-43.",
    "M32": "not built: memory kept in git.",
    "M33": "not built: memory kept in git.",
    "M34": "not built: memory kept in git.",
    "M35": "not built: memory kept in git.",
    "P27": "left to the vendor's library, with which the adapter speaks.",
    "P28": "left to the vendor's library, with which the adapter speaks.",
    "R2b": "held by api-9.5.",
    "R10": "held by FIX-53.",
    "T1": "a group of tests, whose rules are named one by one.",
    "T2": "a group of tests, whose rules are named one by one.",
    "T3": "a group of tests, whose rules are named one by one.",
    "T4": "a group of tests, whose rules are named one by one.",
    "T5": "a group of tests, whose rules are named one by one.",
    "T6": "a group of tests, whose rules are named one by one.",
    "T7": "a group of tests, whose rules are named one by one.",
    "T8": "a group of tests, whose rules are named one by one.",
    "T9": "a group of tests, whose rules are named one by one.",
    "T10": "a group of tests, whose rules are named one by one.",
    "T11": "a group of tests, whose rules are named one by one.",
    "T12": "a group of tests, whose rules are named one by one.",
    "T13": "a group of tests, whose rules are named one by one.",
    "T14": "a group of tests, whose rules are named one by one.",
    "T15": "a group of tests, whose rules are named one by one.",
    "T16": "a group of tests, whose rules are named one by one.",
    "T17": "a group of tests, whose rules are named one by one.",
    "T18": "a group of tests, whose rules are named one by one.",
    "T19": "a group of tests, whose rules are named one by one.",
    "T20": "a group of tests, whose rules are named one by one.",
    "T21": "a group of tests, whose rules are named one by one.",
    "T22": "a group of tests, whose rules are named one by one.",
    "TR2": "no test of its own: the form of a rule is checked where it is read.",
    "X6": "held by X3: a tool says itself what it lacks.",
    "X7": "no test of its own: metrics are tested as a whole.",
    "X13": "held by X12.",
    "X29": "done better: FIX-55.",
    "X55": "held by FIX-62: sessions are kept.",
}
