#include "structural_index.h"

#include <memory>
#include <new>
#if !__has_include(<simdjson.h>)
#error "simdjson.h is missing: apt-get install libsimdjson-dev (make demo and make test do it for you)"
#endif
#include <simdjson.h>

// simdjson's first stage lives in its `internal` namespace; the JSON room's tests pin the meaning that
// this file relies on, so an upgrade that changes it fails there.
using implementation = simdjson::internal::dom_parser_implementation;

struct costgauge_json_indexer {
    std::unique_ptr<implementation> parser;
    size_t capacity = 0;

    bool reserve(size_t length) {
        if (parser && length <= capacity) return true;
        std::unique_ptr<implementation> next;
        // Grown in steps of a quarter, so that slowly growing bodies do not allocate each time.
        size_t wanted = length + length / 4 + 4096;
        if (simdjson::get_active_implementation()->create_dom_parser_implementation(
                wanted, 64, next) != simdjson::SUCCESS) return false;
        parser = std::move(next);
        capacity = wanted;
        return true;
    }
};

extern "C" costgauge_json_indexer *costgauge_json_indexer_create(void) {
    return new (std::nothrow) costgauge_json_indexer();
}

extern "C" void costgauge_json_indexer_destroy(costgauge_json_indexer *indexer) { delete indexer; }

extern "C" int costgauge_json_index(
    costgauge_json_indexer *indexer, const uint8_t *bytes, size_t length,
    const uint32_t **indexes, size_t *count) {
    *indexes = nullptr;
    *count = 0;
    if (length == 0) return costgauge_json_empty;
    if (!indexer->reserve(length)) return costgauge_json_out_of_memory;
    switch (indexer->parser->stage1(bytes, length, simdjson::stage1_mode::regular)) {
        case simdjson::SUCCESS: break;
        case simdjson::EMPTY: return costgauge_json_empty;
        case simdjson::UTF8_ERROR: return costgauge_json_utf8;
        case simdjson::UNCLOSED_STRING: return costgauge_json_unclosed_string;
        case simdjson::UNESCAPED_CHARS: return costgauge_json_control_character;
        default: return costgauge_json_other;
    }
    *indexes = indexer->parser->structural_indexes.get();
    *count = indexer->parser->n_structural_indexes;
    return costgauge_json_ok;
}

extern "C" void costgauge_json_indexer_shrink(costgauge_json_indexer *indexer, size_t length) {
    if (indexer->capacity <= length * 2 + 8192) return;
    indexer->parser.reset();
    indexer->capacity = 0;
}
