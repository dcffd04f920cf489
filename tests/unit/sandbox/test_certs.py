"""`bin/certs`: a new client that the region's services know, and no one else."""

from pathlib import Path

import pytest
from cryptography import x509

from sandbox.certs import run
from sandbox.material import Material


def test_a_new_app_gets_a_certificate_of_the_region(tmp_path: Path) -> None:
    material = Material(tmp_path, "nl")
    material.prepare()
    stem = tmp_path / "mi-home"
    run(["app/mi-home", str(stem), "--root", str(tmp_path)])
    issued = x509.load_pem_x509_certificate(stem.with_suffix(".crt").read_bytes())
    root = x509.load_pem_x509_certificate(material.trust_bundle.read_bytes())
    issued.verify_directly_issued_by(root)
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://nl.accord.internal/app/mi-home"
    ]
    assert stem.with_suffix(".key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("path", ["mi-home", "app/", "staff/officer", "app/../svc/portal"])
def test_what_names_no_one_is_refused(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        run([path, str(tmp_path / "x"), "--root", str(tmp_path)])
    assert refused.value.code == 2
    assert "is no identity" in capsys.readouterr().err
    assert not list(tmp_path.glob("x.*"))


def test_without_a_region_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(["app/mi-home", str(tmp_path / "x"), "--root", str(tmp_path)])
    assert "make up" in capsys.readouterr().err
