#pragma once
#include <stddef.h>

/// A file of the web page as it is served.
struct costgauge_web_file {
    const char *name;
    const char *content_type;
    const unsigned char *bytes;
    size_t size;
};

/// The files in no particular order; null past the last one.
const struct costgauge_web_file *costgauge_web_file_at(size_t index);
