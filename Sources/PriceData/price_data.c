#include "price_data.h"

// #embed is of C23, and clang says so at each.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char data[] = {
#embed "prices.json"
};

// Through a function: Swift imports no array of unknown length.
const unsigned char *costgauge_price_data_start(void) { return data; }

const size_t costgauge_price_data_size = sizeof data;
