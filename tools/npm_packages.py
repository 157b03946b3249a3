"""npm packages that tests and tools use: pinned, fetched once, never copied into the tree."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
#: git ignores it, and `make clean` removes it.
CACHE: Final = ROOT / ".cache" / "npm"
_PACK: Final = (
    *("npm", "pack", "--silent", "--ignore-scripts", "--prefer-offline"),
    *("--pack-destination", "."),
)


class NotFetchedError(Exception):
    """A package cannot be had; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """One release.

    :ivar integrity: as the registry has it: `sha512-` and the digest of its archive in base64.
    """

    name: str
    version: str
    integrity: str

    @property
    def directory(self) -> Path:
        """Where its files are once it is fetched; of another integrity, elsewhere."""
        digest = hashlib.sha256(self.integrity.encode()).hexdigest()[:12]
        return CACHE / f"{self.name}-{self.version}-{digest}"


#: `npm view <name> version dist.integrity` shows what to write here.
PACKAGES: Final = {
    package.name: package
    for package in (
        NpmPackage(
            "@smithy/core",
            "3.41.0",
            "sha512-fuZ34H1uizS3WgcX9VXG7Uy8od5A5/kCc+CR3NkHLNm2H/BE9AUHG02VIdu8ZB7FYhLqsr/RZbqAo"
            "XuOCg/Oxg==",
        ),
        NpmPackage(
            "@smithy/hash-node",
            "4.5.2",
            "sha512-OcD8fGClTkP0BWHVEAgUp1RZyCw8cKfqTPQ+DgrSF5jvR8zKkw2Aud79L4G/1Fu3QKLcsHExxRIPQ"
            "CcKx7+xkg==",
        ),
        NpmPackage(
            "@smithy/signature-v4",
            "5.7.5",
            "sha512-WPjdr5oWOk1LArpI4pavu+fSo+/evi0Re1olxGvqwuZopd4gYR1UGCi+Soyn/IjmafqbWs+ZC+3AK"
            "xJS3ZpwUg==",
        ),
        NpmPackage(
            "@smithy/types",
            "4.20.0",
            "sha512-lCA6QG22dPk9ecHbv91jDQZsmtPUjdS1aE2Il6NNPqe7DrYc0dZQi6DhcESk2KYXH2sp5xbAcGdYM"
            "ZDFnuzA2A==",
        ),
        NpmPackage(
            "@zegocloud/zego-uikit-prebuilt",
            "2.18.4",
            "sha512-fqg52bdYgQTRZroxfgsVDu56MEZN4IjJaYZZDXDrNPf33oUvw+UcPZyq2u2tlC8n5BnujlNzVOGxV"
            "/RGyRRT7w==",
        ),
        NpmPackage(
            "axe-core",
            "4.14.1",
            "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe3"
            "7OgudVGtQ==",
        ),
        NpmPackage(
            "localforage",
            "1.10.0",
            "sha512-14/H1aX7hzBBmmh7sGPd+AOMkkIrHM3Z1PAyGgZigA1H1p5O5ANnMyWzvpAETtG68/dC4pC0ncy3+"
            "PPGzXZHPg==",
        ),
        NpmPackage(
            "long",
            "5.2.0",
            "sha512-9RTUNjK60eJbx3uz+TEGF7fUr29ZDxR5QzXcyDpeSfeH28S9ycINflOgOlppit5U+4kNTe83KQnME"
            "erw7GmE8w==",
        ),
        NpmPackage(
            "protobufjs",
            "7.4.0",
            "sha512-mRUWCc3KUU4w1jU8sGxICXH/gNS94DvI1gxqDvBzhj1JpcsimQkYiOJfwsPUykUI5ZaspFbSgmBLE"
            "R8IrQ3tqw==",
        ),
        NpmPackage(
            "react",
            "19.3.1",
            "sha512-QNhWdt7nrgVWWQG58QuGsAR3jv3Hbe4mb4vz7w2csnHavciZJgda1CPNaldF6eVxv90ud3jUXpKlH"
            "L69gO38yw==",
        ),
        NpmPackage(
            "react-is",
            "19.3.1",
            "sha512-RRieF6IyxQBkcK6pP8xOHprLTPW6QjRkbGdImtqNme+/hYVwCZkLQLdlZGOhUqXwkS9IEynaGvPJt"
            "v6XB/cz0Q==",
        ),
        NpmPackage(
            "react-test-renderer",
            "19.3.1",
            "sha512-YcNewwmnZMd0wTb2nkb4hQ58NmX/u1hW2OJsNpen8CnV+jNkmEjYd1R6wJrOMSgb8bIF5HAJv4iL+"
            "S3PwNptOA==",
        ),
        NpmPackage(
            "redoc",
            "3.0.1",
            "sha512-KDfoKaYW19LCl4YStgBnwlaNjYEFfs5zCNt1s1WZ2YM5u8d26Yuzd2l43fZO851ZsgIMe/D640fDJ"
            "kD8eaRQKQ==",
        ),
        NpmPackage(
            "scheduler",
            "0.28.0",
            "sha512-juorfCmIkIw8tT+p5BXSm6PJjQF/ycEYmKyzURCIt/RaZIhL+PulbQ9Yu2z1HdOJDdqDTlxA1+xKB"
            "mHXJsczAw==",
        ),
        NpmPackage(
            "tslib",
            "2.9.1",
            "sha512-a4Ux9VKuIMHsOS7ENbEq6hK2ZGYIT27Rtl0E4eD9KqwxhKiQeMZE/9xb3IdYwWaSOyIBQLExhQgXD"
            "TYoiCxnWA==",
        ),
        NpmPackage(
            "typescript",
            "5.9.3",
            "sha512-jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8w"
            "tm6M5TgSw==",
        ),
        NpmPackage(
            "zego-express-engine-webrtc",
            "3.12.0",
            "sha512-Z0LrZk22Px0vq2EejNenHxVHgAek4LoFwKGYoGVo3il04z3Yze10vzKB0xBqRjGMw99fNbjgl0hbi"
            "BwDTmAXXw==",
        ),
        NpmPackage(
            "zego-express-logger",
            "1.5.0",
            "sha512-QJRZJHDitUmB+HV6yBp/LtB05nSXIVZmiKcqaOSRKR0VDTwj7D9SEXigupMbOn0P67StMGOUiYJX+"
            "4/m88228w==",
        ),
    )
}


def fetch(name: str) -> Path:
    """The folder with the files of one of :data:`PACKAGES`, fetched if need be.

    :raises NotFetchedError: npm is not here or failed, or the archive is not the pinned one.
    """
    package = PACKAGES[name]
    if not package.directory.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as directory:
            files = _unpacked(package, _download(package, Path(directory)))
            package.directory.parent.mkdir(exist_ok=True)  # a scope
            try:
                files.rename(package.directory)
            except OSError:
                if not package.directory.is_dir():  # another process was quicker
                    raise
    return package.directory


def matches(archive: Path, integrity: str) -> bool:
    """Whether an archive is the one that was pinned."""
    algorithm, _, digest = integrity.partition("-")
    found = hashlib.new(algorithm, archive.read_bytes()).digest()
    return algorithm == "sha512" and base64.b64encode(found).decode() == digest


def _download(package: NpmPackage, directory: Path) -> Path:
    if shutil.which("npm") is None:
        raise NotFetchedError(f"{package.name} is fetched with npm, which is not on PATH.")
    which = f"{package.name}@{package.version}"
    done = subprocess.run(
        [*_PACK, which],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    archives = list(directory.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise NotFetchedError(f"npm cannot fetch {which}: {done.stderr.strip() or 'no reason'}")
    return archives[0]


def _unpacked(package: NpmPackage, archive: Path) -> Path:
    if not matches(archive, package.integrity):
        raise NotFetchedError(
            f"{package.name}@{package.version} is not the archive that is pinned in"
            f" {Path(__file__).name}: its sha512 is another."
        )
    with tarfile.open(archive) as opened:
        opened.extractall(archive.parent / "files", filter="data")
    (files,) = (archive.parent / "files").iterdir()
    return files
