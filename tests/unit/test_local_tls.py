"""The local AWS's certificates: trusted by their authority for the local names only, private, renewed in time."""

import datetime
import ssl
from pathlib import Path

from cryptography import x509

from local import tls

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)


def names(material: tls.Material) -> set[str]:
    certificate = x509.load_pem_x509_certificate(material.certificate.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}


def test_the_certificate_is_for_local_names(tmp_path: Path) -> None:
    assert names(tls.ensure(tmp_path, NOW)) == {"localhost", "*.localhost", "*.execute-api.localhost", "127.0.0.1"}


def test_the_authority_signed_the_certificate(tmp_path: Path) -> None:
    material = tls.ensure(tmp_path, NOW)
    authority = x509.load_pem_x509_certificate(material.authority.read_bytes())

    x509.load_pem_x509_certificate(material.certificate.read_bytes()).verify_directly_issued_by(authority)


def test_the_key_belongs_to_the_certificate_and_to_its_owner(tmp_path: Path) -> None:
    material = tls.ensure(tmp_path, NOW)

    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(material.certificate, material.key)
    assert material.key.stat().st_mode & 0o777 == 0o600


def test_the_material_is_kept_until_near_its_end(tmp_path: Path) -> None:
    first = tls.ensure(tmp_path, NOW).certificate.read_bytes()

    assert tls.ensure(tmp_path, NOW + datetime.timedelta(days=300)).certificate.read_bytes() == first
    assert tls.ensure(tmp_path, NOW + datetime.timedelta(days=350)).certificate.read_bytes() != first


def test_incomplete_material_is_made_anew(tmp_path: Path) -> None:
    first = tls.ensure(tmp_path, NOW)
    first.key.unlink()

    assert tls.ensure(tmp_path, NOW).key.is_file()
