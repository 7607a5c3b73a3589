"""process: user, capabilities, limits, environment, and what else the program is given."""
from catalogue import case, variants


@case("plain")
def _(s):
    pass
