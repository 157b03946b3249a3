"""Lint template.yaml: as written, and as CloudFormation will see it.

Some errors show only after the transform, such as SnapStart on a runtime that has none. The
transformed template is linted with each way to have a secret, to rotate it and to tell of alarms.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.sam_template import REGION, TEMPLATE, transform

#: The names are those of the files that a finding names.
VARIANTS: Final = {
    "secret-made-by-the-stack": {"SecretReaderAccounts": "444455556666"},
    "secret-given-with-its-key": {
        "ServerSecretArn": "arn:aws:secretsmanager:us-east-1:444455556666:secret:zego-AbCdEf",
        "ServerSecretKmsKeyArn": "arn:aws:kms:us-east-1:444455556666:key/"
        "00000000-0000-4000-8000-000000000000",
    },
    "secret-given-without-a-key": {
        "ServerSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf",
    },
    "secret-given-with-its-key-and-rotated": {
        "ServerSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf",
        "ServerSecretKmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/"
        "00000000-0000-4000-8000-000000000000",
        "RotateGivenSecret": "Yes",
        "AlarmEmail": "operators@example.com",
    },
    "secret-given-without-a-key-and-rotated": {
        "ServerSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf",
        "RotateGivenSecret": "Yes",
        "AlarmTopicArn": "arn:aws:sns:eu-west-1:111122223333:alarms",
    },
    "snapstart-unreserved-all-at-once": {
        "SnapStart": "On",
        "ReservedConcurrency": "0",
        "DeploymentPreference": "AllAtOnce",
    },
}


def main() -> int:
    """Lint every variant. Errors and warnings fail."""
    with tempfile.TemporaryDirectory() as directory:
        templates = [TEMPLATE]
        for variant, parameters in VARIANTS.items():
            templates.append(Path(directory, f"transformed-{variant}.json"))
            templates[-1].write_text(json.dumps(transform(parameters), indent=1), encoding="utf-8")
        lint = Path(sys.executable).with_name("cfn-lint")
        command = [str(lint), "--regions", REGION, "--", *map(str, templates)]
        status = subprocess.run(command, check=False).returncode
    if status == 0:
        print(f"template.yaml is valid: as written, and transformed {len(VARIANTS)} ways")
    return status


if __name__ == "__main__":
    sys.exit(main())
