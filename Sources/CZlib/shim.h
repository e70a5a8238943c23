#pragma once
#if !__has_include(<zlib.h>)
#error "zlib.h is missing: apt-get install zlib1g-dev (make demo and make test do it for you)"
#endif
#include <zlib.h>

// inflateInit2 and deflateInit2 are macros that pass the header's version and structure size.
static inline int costgauge_inflate_init(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}
// A memory level of 6 instead of 8: the hash table has a quarter of the entries, and zlib goes over all of them whenever its
// window moves on. A page of metrics, whose lines repeat the one before, takes a sixth less time and is no longer for it.
static inline int costgauge_deflate_init(z_stream *stream, int level, int window_bits) {
    return deflateInit2(stream, level, Z_DEFLATED, window_bits, 6, Z_DEFAULT_STRATEGY);
}
