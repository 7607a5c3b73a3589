"""The differences that stay, each with its reason. `hack/compare --write` makes docs/differences.md from this.

A row knows differences by case and key (with * as in file names). Its witness is a case that shows both sides: where one of
them changes, the harness fails, and the row has to go or to say something else.
"""


class Row:
    def __init__(self, title, reason, cases, keys, witness, views=(), only=None):
        self.title, self.reason, self.cases, self.keys = title, reason, cases, keys
        self.witness, self.views, self.only = witness, views, only


ROWS = []


def row(title, reason, keys, case, key, cases=("*",), views=(), only=None, view=None, shown=None, **values):
    """`values` are regular expressions: what each runtime shows for `key` in the witness `case`."""
    values = {name.replace("_", "-"): value for name, value in values.items()}
    seen = {"case": case, "key": key, "values": values}
    if view:
        seen["view"] = view
    if shown:
        seen["shown"] = shown
    ROWS.append(Row(title, reason, cases, keys, seen, views, only))


row("a mask over a directory is a tmpfs with nosuid, nodev and noexec",
    "the peers' masks lack them; a mask has nothing in it that could be run, so nothing is lost",
    ["in.mount.* flags", "in.mount.* super"], "plain", "in.mount./sys/firmware flags",
    only="^ro,nosuid,nodev,noexec,relatime$|^rw$", runc="ro,relatime", ours="ro,nosuid,nodev,noexec,relatime")
row("a read-only sysfs is read-only as a mount, not as a file system",
    "writing fails alike; the file system is shared with the host, whose own flags stay as they are",
    ["in.mount./sys super"], "plain", "in.mount./sys super", runc="ro", crun="rw", ours="rw")
row("state says ociVersion 1.3.0",
    "each runtime names the version of the specification that it implements",
    ["state-*.ociVersion", "*.stdin.ociVersion"], "plain", "state-created.ociVersion", runc="1.2.1", crun="1.0.0", ours="1.3.0")
row("state names the owner",
    "the owner of the record, as crun and as runc's own list says; runc's state leaves it empty",
    ["state-*.owner"], "plain", "state-created.owner", runc="", crun="root", ours="root")
