#!/usr/bin/env python3
"""Checks kas files by kas's own schema, and that what they include is there and pinned."""

import json
import pathlib
import sys

import jsonschema
import kas
import yaml


def check(path, schema, root):
    """What is wrong with a file, a line each."""
    with open(path, encoding="utf-8") as file:
        content = yaml.safe_load(file)
    wrong = [f"{error.json_path}: {error.message}" for error in schema.iter_errors(content)]
    for include in content.get("header", {}).get("includes", []):
        if not (root / include).is_file():
            wrong.append(f"includes {include}, which is not there")
    for name, repo in content.get("repos", {}).items():
        if repo.get("url") and len(repo.get("commit", "")) != 40:
            wrong.append(f"{name}: no commit, so tomorrow's build is another one")
    return wrong


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    with open(pathlib.Path(kas.__file__).parent / "schema-kas.json", encoding="utf-8") as file:
        schema = jsonschema.Draft202012Validator(json.load(file))
    failed = False
    for path in sys.argv[1:]:
        for line in check(path, schema, root):
            print(f"{path}: {line}")
            failed = True
    if failed or len(sys.argv) < 2:
        sys.exit(1)
    print(f"{len(sys.argv) - 1} files are valid")


main()
