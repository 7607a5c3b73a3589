"""tracer.py: a debugger that does nothing: it traces a process until it is told to let go. A process that has ended meanwhile is
there for its tracer first, and only then for its parent. CRIU, which kills what it has dumped, is such a tracer.

  with Tracer(pid) as tracer: …     (its own file is the program that traces)
"""
import ctypes, os, subprocess, sys

PTRACE_SEIZE = 0x4206


class Tracer:
    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        words = [sys.executable, os.path.abspath(__file__), str(self.pid)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            raise OSError(f"process {self.pid} cannot be traced")
        return self

    def let_go(self):
        self.process.communicate(b"\n")

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def has_ended(pid):
    """It has ended, and its parent has not reaped it."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "Z"


def trace(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_SEIZE, pid, None, None):
        sys.exit(os.strerror(ctypes.get_errno()))
    print("traced", flush=True)
    sys.stdin.readline()
    # As long as it runs, the end of this process lets go of it.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)


if __name__ == "__main__":
    trace(int(sys.argv[1]))
