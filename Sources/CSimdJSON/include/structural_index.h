#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// One simdjson parser: its structural indexes are reused from call to call.
typedef struct costgauge_json_indexer costgauge_json_indexer;

/// How the pass over the bytes ended.
enum costgauge_json_outcome {
    costgauge_json_ok = 0,
    /// No value at all.
    costgauge_json_empty = 1,
    costgauge_json_utf8 = 2,
    costgauge_json_unclosed_string = 3,
    /// A byte below 0x20 inside a string.
    costgauge_json_control_character = 4,
    costgauge_json_out_of_memory = 5,
    costgauge_json_other = 6,
};

costgauge_json_indexer *costgauge_json_indexer_create(void);
void costgauge_json_indexer_destroy(costgauge_json_indexer *);

/// Finds the offset of every structural character, of every opening quote and of the first byte of
/// every other scalar. `bytes` must be readable for 64 bytes past `length`. The indexes are valid until
/// the next call. Grammar and scalars are not checked: that is the reader's work.
int costgauge_json_index(
    costgauge_json_indexer *, const uint8_t *bytes, size_t length,
    const uint32_t **indexes, size_t *count);

/// Gives back index memory beyond what `length` bytes need.
void costgauge_json_indexer_shrink(costgauge_json_indexer *, size_t length);

#ifdef __cplusplus
}
#endif
