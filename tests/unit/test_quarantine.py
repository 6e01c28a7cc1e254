"""What is kept of a refused record tells nothing that only readers of private columns may know."""

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st
from nightlake.core.mask import MASK, WITHHELD, Mask
from shop_shard import HEADER, ORDERS, Shop, csv_source

ODD = st.text('a",;\n\r\0 é', max_size=6)
SECRETS = st.builds("{}SECRET{}".format, ODD, ODD)


@given(
    rows=st.lists(st.tuples(ODD, SECRETS, ODD), min_size=1, max_size=5),
    delimiter=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_private_field_of_delimited_text_is_masked_and_the_others_kept(
    rows: list[tuple[str, str, str]], delimiter: str, line_end: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER, *((f"no number{odd}", secret, other, "") for odd, secret, other in rows)])
    shop = Shop(source=csv_source(delimiter=delimiter))
    refused = shop.refused(shop.convert(shop.land(text.getvalue())))
    assert "SECRET" not in json.dumps(refused, default=str)
    kept = [next(csv.reader(io.StringIO(row["raw"], newline=""), delimiter=delimiter)) for row in refused]
    assert kept == [[f"no number{odd}", MASK, other, ""] for odd, _, other in rows]


def test_a_record_that_could_not_be_read_is_withheld_only_where_it_may_hold_private_values() -> None:
    assert Mask(ORDERS, csv_source(), HEADER).whole("a,b") == WITHHELD
    columns = tuple(column.model_copy(update={"private": False}) for column in ORDERS.columns)
    assert Mask(ORDERS.model_copy(update={"columns": columns}), csv_source(), HEADER).whole("a,b") == "a,b"
