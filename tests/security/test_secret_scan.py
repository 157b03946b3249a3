"""`make secrets` finds a ServerSecret, but allows the invented ones of tests."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tools.sam_template import ROOT

FORMS = [
    'server_secret = "{}"',
    "SERVER_SECRET={}",
    '{{"app_id": 1, "server_secret": "{}"}}',
    r"{{\"app_id\": 1, \"server_secret\": \"{}\"}}",
    'ServerSecret("{}")',
]


def scan(directory: Path) -> str:
    scanner = str(Path(sys.executable).with_name("kingfisher"))
    config = str(ROOT / "tools" / "secret_scan" / "config.yaml")
    command = [scanner, "scan", str(directory), "--config", config, "--no-update-check", "--quiet"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_a_server_secret_is_found_in_every_form_and_not_shown(tmp_path: Path) -> None:
    # Computed here, so that the scan of this tree does not find them.
    secrets = [hashlib.sha256(form.encode()).hexdigest()[:32] for form in FORMS]
    for number, (form, secret) in enumerate(zip(FORMS, secrets, strict=True)):
        (tmp_path / f"{number}.txt").write_text(form.format(secret) + "\n", encoding="utf-8")
    report = scan(tmp_path)
    assert [number for number in range(len(FORMS)) if f"{number}.txt" not in report] == []
    assert not any(secret in report for secret in secrets)


def test_the_invented_secret_of_the_vectors_is_allowed(tmp_path: Path) -> None:
    for number, form in enumerate(FORMS):
        text = form.format("0123456789abcdef" * 2)
        (tmp_path / f"{number}.txt").write_text(text + "\n", encoding="utf-8")
    assert "|Finding" not in scan(tmp_path)
