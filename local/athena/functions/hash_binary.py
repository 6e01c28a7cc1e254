"""Bytes: https://trino.io/docs/current/functions/binary.html."""

from local.athena.functions.guard import refuse
from local.athena.functions.registry import FUNCTIONS

FUNCTIONS.scalar("length", "varbinary -> bigint", "octet_length({0})")
FUNCTIONS.scalar("concat", "varbinary, varbinary, varbinary... -> varbinary", " || ".join)
FUNCTIONS.scalar("reverse", "varbinary -> varbinary", "nightlake_bytes_reverse({0})")
for _name in ("substr", "substring"):
    FUNCTIONS.scalar(_name, "varbinary, bigint -> varbinary", "nightlake_bytes_part({0}, {1}, octet_length({0}))")
    FUNCTIONS.scalar(_name, "varbinary, bigint, bigint -> varbinary", "nightlake_bytes_part({0}, {1}, {2})")
for _name in ("lpad", "rpad"):
    FUNCTIONS.scalar(
        _name, "varbinary, bigint, varbinary -> varbinary", f"nightlake_bytes_pad('{_name}', {{0}}, {{1}}, {{2}})"
    )
FUNCTIONS.scalar("to_utf8", "varchar -> varbinary", "encode({0})")
FUNCTIONS.scalar("from_utf8", "varbinary -> varchar", "nightlake_from_utf8({0}, chr(65533))")
FUNCTIONS.scalar("from_utf8", "varbinary, varchar -> varchar", "nightlake_from_utf8({0}, {1})")
FUNCTIONS.scalar("to_hex", "varbinary -> varchar", "hex({0})")
FUNCTIONS.scalar(
    "from_hex",
    "varchar -> varbinary",
    lambda a: refuse(
        f"NOT regexp_full_match({a[0]}, '([0-9A-Fa-f]{{2}})*')", "Invalid hex string", f"unhex({a[0]})", "BLOB"
    ),
)
FUNCTIONS.scalar("to_base64", "varbinary -> varchar", "to_base64({0})")
for _name in ("from_base64", "from_base64url", "from_base32"):
    FUNCTIONS.scalar(_name, "varchar -> varbinary", f"nightlake_{_name}({{0}})")
FUNCTIONS.scalar("to_base64url", "varbinary -> varchar", "replace(replace(to_base64({0}), '+', '-'), '/', '_')")
FUNCTIONS.scalar("to_base32", "varbinary -> varchar", "nightlake_to_base32({0})")
for _name in ("md5", "sha1", "sha256"):
    FUNCTIONS.scalar(_name, "varbinary -> varbinary", f"unhex({_name}({{0}}))")
FUNCTIONS.scalar("sha512", "varbinary -> varbinary", "nightlake_sha512({0})")
FUNCTIONS.scalar("crc32", "varbinary -> bigint", "nightlake_crc32({0})")
for _name in ("md5", "sha1", "sha256", "sha512"):
    FUNCTIONS.scalar(f"hmac_{_name}", "varbinary, varbinary -> varbinary", f"nightlake_hmac('{_name}', {{0}}, {{1}})")
for _bits, _kind, _letter in ((32, "integer", "i"), (64, "bigint", "q")):
    FUNCTIONS.scalar(f"to_big_endian_{_bits}", f"{_kind} -> varbinary", f"nightlake_pack('>{_letter}', {{0}})")
    FUNCTIONS.scalar(f"from_big_endian_{_bits}", f"varbinary -> {_kind}", f"nightlake_unpack('>{_letter}', {{0}})")
FUNCTIONS.scalar("to_ieee754_32", "real -> varbinary", "nightlake_pack_float({0})")
FUNCTIONS.scalar("from_ieee754_32", "varbinary -> real", "nightlake_unpack_float({0})")
FUNCTIONS.scalar("to_ieee754_64", "double -> varbinary", "nightlake_pack_double({0})")
FUNCTIONS.scalar("from_ieee754_64", "varbinary -> double", "nightlake_unpack_double({0})")
