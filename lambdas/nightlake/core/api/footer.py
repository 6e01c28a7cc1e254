"""What the footer of a Parquet file says: where its columns lie, and which row groups conditions leave."""

import operator
from collections.abc import Collection, Mapping
from functools import reduce
from io import RawIOBase
from typing import TYPE_CHECKING

from nightlake.core.api.ranged_file import Range

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq


class Footer:
    """A footer, read once. `keys` are the values of the partition keys in all rows of the file.

    `size` are its bytes in the file, `columns` their names in its order, `spans` the row groups: each with its first
    row and the one behind its last.
    """

    def __init__(self, file: RawIOBase, keys: Mapping[str, str]) -> None:
        import pyarrow.compute as pc
        import pyarrow.dataset as ds

        rows_have = reduce(operator.and_, (pc.field(name) == value for name, value in keys.items()))
        self._fragment = ds.ParquetFileFormat().make_fragment(file, partition_expression=rows_have)
        self.metadata: pq.FileMetaData = self._fragment.metadata
        self.size = int(self.metadata.serialized_size)
        paths = [self.metadata.schema.column(place).path for place in range(self.metadata.num_columns)]
        self.columns = tuple(dict.fromkeys(path.partition(".")[0] for path in paths))
        self.spans: list[tuple[int, int, int]] = []
        self._ranges: list[dict[str, list[Range]]] = []
        self._numbered: set[str] = set()
        begin = 0
        for number in range(self.metadata.num_row_groups):
            group = self.metadata.row_group(number)
            self.spans.append((number, begin, begin + group.num_rows))
            begin += group.num_rows
            self._ranges.append({})
            for place in range(group.num_columns):
                self._note(group.column(place))

    def _note(self, column: "pq.ColumnChunkMetaData") -> None:
        path = column.path_in_schema
        start = column.dictionary_page_offset or column.data_page_offset
        ends = (start, start + column.total_compressed_size)
        self._ranges[-1].setdefault(path.partition(".")[0], []).append(ends)
        if column.physical_type == "BYTE_ARRAY" and column.has_dictionary_page:
            self._numbered.add(path)

    def numbered(self, names: Collection[str]) -> list[str]:
        """Those of the columns whose texts are written once each, and numbered: so they are compared and grouped."""
        return [name for name in names if name in self._numbered]

    def ranges(self, group: int, names: Collection[str]) -> list[Range]:
        """Where these columns of a row group lie in the file."""
        return [each for name in names for each in self._ranges[group].get(name, ())]

    def extent(self, names: Collection[str]) -> tuple[int, int]:
        """The first byte of these columns, and how many bytes they have in all row groups."""
        ranges = [each for group, _, _ in self.spans for each in self.ranges(group, names)]
        return min((start for start, _ in ranges), default=0), sum(end - start for start, end in ranges)

    def left(self, condition: "ds.Expression", schema: "pa.Schema") -> set[int]:
        """The row groups that the condition on columns of the schema does not rule out."""
        return {group.id for group in self._fragment.subset(filter=condition, schema=schema).row_groups}
