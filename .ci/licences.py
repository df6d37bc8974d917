#!/usr/bin/env python3
"""Checks all crates in Cargo.lock against deny.toml: licences, sources, and wildcard versions of our own dependencies.

Needs Python 3.11 and cargo. It covers the part of cargo-deny that deny.toml uses, without compiling cargo-deny. .ci/run
uses cargo-deny if it is installed. SPDX expressions are evaluated with OR, AND, WITH and parentheses. `A/B`, an old
notation in Cargo.toml, means `A OR B`.
"""
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def is_allowed(expression, allowed):
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        value = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both():
        value = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = one() and value
        return value

    def one():
        name = tokens.pop(0)
        if name == "(":
            value = either()
            if tokens.pop(0) != ")":
                raise ValueError("unbalanced parentheses")
            return value
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            name = f"{name} WITH {tokens.pop(0)}"
        return name in allowed

    value = either()
    if tokens:
        raise ValueError(f"unexpected {tokens[0]}")
    return value


def problems(metadata, rules):
    allowed = set(rules["licenses"]["allow"])
    for package in metadata["packages"]:
        name, licence = f"{package['name']} {package['version']}", package["license"]
        try:
            if not licence or not is_allowed(licence, allowed):
                yield f"{name}: the licence {licence!r} is not allowed by deny.toml"
        except (IndexError, ValueError) as error:
            yield f"{name}: the licence {licence!r} is not an SPDX expression: {error}"
        if package["source"] not in (None, CRATES_IO):
            yield f"{name}: comes from {package['source']}"
        if package["source"] is None:
            for dependency in package["dependencies"]:
                if dependency["req"] == "*" and not dependency.get("path"):
                    yield f"{name}: depends on any version of {dependency['name']}"


def main():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", REPO / "Cargo.toml"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    found = list(problems(metadata, tomllib.loads((REPO / "deny.toml").read_text())))
    print("\n".join(found) or f"{len(metadata['packages'])} crates, all allowed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
