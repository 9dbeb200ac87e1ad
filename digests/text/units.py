"""Words and signs of quantities: magnitudes, currencies, units and number words. Pure."""

MAGNITUDES = {
    **dict.fromkeys(("thousand", "thousands", "k", "tsd", "tausend", "mil", "mille", "тыс"), 1e3),
    **dict.fromkeys(
        ("million", "millions", "mn", "mln", "mio", "millionen", "millones", "milhões", "milioni"),
        1e6,
    ),
    **dict.fromkeys(("млн", "миллион", "миллиона", "миллионов", "mm"), 1e6),
    **dict.fromkeys(
        ("billion", "billions", "bn", "bln", "mrd", "milliarde", "milliarden", "milliard"), 1e9
    ),
    **dict.fromkeys(("milliards", "miliardi", "млрд", "миллиард", "миллиарда", "миллиардов"), 1e9),
    **dict.fromkeys(("trillion", "trillions", "tn", "trn"), 1e12),
    **dict.fromkeys(("lakh", "lakhs"), 1e5),
    **dict.fromkeys(("crore", "crores"), 1e7),
    **{"万": 1e4, "萬": 1e4, "만": 1e4, "億": 1e8, "亿": 1e8, "억": 1e8, "兆": 1e12, "조": 1e12},
    **{"千": 1e3, "百": 1e2, "천": 1e3, "백": 1e2, "hundred": 1e2, "dozen": 12.0},
}
SUFFIXES = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "b": 1e9, "B": 1e9, "T": 1e12, "t": 1e12}
MEASURES = {"m": "metre", "t": "tonne"}
"""Suffixes that may also be a unit: 5m is 5 million or 5 metres."""
MONEY = {
    **{"$": "$", "€": "€", "£": "£", "¥": "¥", "₹": "₹", "₽": "₽", "₩": "₩"},
    **dict.fromkeys(("us$", "usd", "dollar", "dollars", "долларов"), "$"),
    **dict.fromkeys(("eur", "euro", "euros"), "€"),
    **dict.fromkeys(("gbp", "pound", "pounds", "sterling"), "£"),
    **dict.fromkeys(("jpy", "yen", "yuan", "rmb", "cny", "円", "元"), "¥"),
    **dict.fromkeys(("inr", "rupee", "rupees"), "₹"),
    **dict.fromkeys(("krw", "won", "원"), "₩"),
    **dict.fromkeys(("rub", "rouble", "roubles", "ruble", "rubles"), "₽"),
    **{"c$": "c$", "a$": "a$", "hk$": "hk$"},
    **dict.fromkeys(("chf", "franc", "francs"), "chf"),
}
UNITS = {
    **dict.fromkeys(("%", "percent", "pct", "prozent", "pourcent", "процентов", "процента"), "%"),
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "second"),
    **dict.fromkeys(("millisecond", "milliseconds", "ms"), "millisecond"),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "minute"),
    **dict.fromkeys(("hour", "hours", "hr", "hrs"), "hour"),
    **dict.fromkeys(("day", "days"), "day"),
    **dict.fromkeys(("week", "weeks"), "week"),
    **dict.fromkeys(("month", "months"), "month"),
    **dict.fromkeys(("year", "years", "yr", "yrs"), "year"),
    **dict.fromkeys(("decade", "decades"), "decade"),
    **dict.fromkeys(("km", "kilometre", "kilometres", "kilometer", "kilometers"), "km"),
    **dict.fromkeys(("mile", "miles"), "mile"),
    **dict.fromkeys(("metre", "metres", "meter", "meters"), "metre"),
    **dict.fromkeys(("kg", "kilogram", "kilograms", "kilo", "kilos"), "kg"),
    **dict.fromkeys(("tonne", "tonnes", "ton", "tons"), "tonne"),
    **dict.fromkeys(("kb", "kilobyte", "kilobytes"), "kb"),
    **dict.fromkeys(("mb", "megabyte", "megabytes"), "mb"),
    **dict.fromkeys(("gb", "gigabyte", "gigabytes"), "gb"),
    **dict.fromkeys(("tb", "terabyte", "terabytes"), "tb"),
    **dict.fromkeys(("kw", "kilowatt", "kilowatts"), "kw"),
    **dict.fromkeys(("mw", "megawatt", "megawatts"), "mw"),
    **dict.fromkeys(("gw", "gigawatt", "gigawatts"), "gw"),
    **{"x": "x", "×": "x", "fold": "x", "times": "x"},
    **{"°c": "°c", "°f": "°f", "pp": "pp"},
}
ONES = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen
""".split()  # noqa: SIM905 - easier to read
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905 - as above
ORDINALS = """
    zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
""".split()  # noqa: SIM905 - as above
WORDS = {word: float(n) for n, word in enumerate(ONES)} | {
    word: 10.0 * n for n, word in enumerate(TENS, 2)
}
FACTORS = {
    **dict.fromkeys(("half", "halved", "halves", "halving"), ((0.5, ""), (50.0, "%"))),
    **dict.fromkeys(
        ("twice", "double", "doubled", "doubles", "doubling", "twofold"), ((2.0, "x"),)
    ),
    **dict.fromkeys(("triple", "tripled", "triples", "tripling", "threefold"), ((3.0, "x"),)),
    **dict.fromkeys(("quadruple", "quadrupled", "fourfold"), ((4.0, "x"),)),
}
