"""The README's commands and what it says comes out of them; and a shell that a test types them into."""

import json
import re
import subprocess
import textwrap

import lib

TEXT = (lib.ROOT / "README.md").read_text()


def commands(first, last):
    """The shell commands between two headings, in their order, each with the JSON documents shown behind it."""
    part = TEXT[TEXT.index(first):TEXT.index("\n" + last)]
    found = []
    for kind, block in re.findall(r"^ *```(sh|json)\n(.*?)^ *```$", part, re.M | re.S):
        if kind == "sh":
            found.append((textwrap.dedent(block), []))
        else:
            found[-1][1].append(block)
    return found


def documents(text):
    """The JSON documents that stand one behind the other in TEXT."""
    found, text = [], text.strip()
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


class Shell:
    """One shell for all commands, as a person has it: what one sets, the next ones have."""

    def __init__(self, folder, **env):
        self.errors = folder / "shell-stderr"
        with open(self.errors, "w") as errors:
            self.child = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                          stderr=errors, cwd=lib.ROOT, env=env)

    def type(self, text):
        """Types TEXT and returns what comes out; its last command must have gone well."""
        self.child.stdin.write(f"{text}\necho; echo the end $?\n")
        self.child.stdin.flush()
        said = ""
        for line in self.child.stdout:
            if line.startswith("the end "):
                assert line == "the end 0\n", f"{text}\n{said}\n{self.errors.read_text()}"
                return said
            said += line
        raise AssertionError(f"the shell ended\n{text}\n{self.errors.read_text()}")

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(lib.DEADLINE) == 0
        self.child.stdout.close()
