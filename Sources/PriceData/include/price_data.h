#pragma once
#include <stddef.h>

/// The built-in price list as CSV; prices.csv beside this target's source. Not terminated by a zero.
const unsigned char *costgauge_price_data_start(void);
extern const size_t costgauge_price_data_size;
