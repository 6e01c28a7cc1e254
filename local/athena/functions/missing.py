"""Functions that Athena has and this engine has not: they are refused by name, not as unknown ones."""

_NAMES = """
approx_most_frequent approx_set bar beta_cdf char2hexint checksum classify color convex_hull_agg
current_catalog current_groups current_path current_schema current_time current_user
empty_approx_set entropy evaluate_classifier_predictions features from_iso8601_timestamp_nanos
from_unixtime_nanos geometry_union_agg great_circle_distance hash_counts index intersection_cardinality
inverse_beta_cdf inverse_normal_cdf jaccard_index json_array json_exists json_object json_query json_value
learn_classifier learn_libsvm_classifier learn_libsvm_regressor learn_regressor make_set_digest merge
merge_set_digest murmur3 normal_cdf numeric_histogram parse_presto_data_size qdigest_agg quantile_at_value
regress render rgb shuffle spooky_hash_v2_32 spooky_hash_v2_64 tdigest_agg to_char to_date to_timestamp uuid
value_at_quantile values_at_quantiles version wilson_interval_lower wilson_interval_upper word_stem xxhash64
"""
NAMES = frozenset(_NAMES.split())


def is_missing(name: str) -> bool:
    """Whether `name` is such a function; those of geometry go by their prefixes."""
    return name in NAMES or name.startswith(("st_", "bing_tile", "geometry_", "to_geometry", "to_spherical_geography"))
